// ---- making elements ----

function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  made.append(...content); // strings become text nodes
  return made;
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const fact = (term, ...content) => element("div", {}, element("dt", {}, term), element("dd", {}, ...content));
const link = (words, onclick) => element("button", { type: "button", class: "link name", onclick }, words);

const MOST_LINKS = 12;

/** Elements with commas between them; so many at most, and then a number. */
function listed(items, toElement) {
  const shown = items.slice(0, MOST_LINKS).flatMap((item) => [", ", toElement(item)]).slice(1);
  return items.length > MOST_LINKS ? [...shown, ` and ${count(items.length - MOST_LINKS)} more`] : shown;
}

/** What did not go as it should: words with the class that colours them. */
function troubles(item) {
  const several = item.count > 1, found = [];
  const say = (number, words, kind) => number && found.push([several ? `${count(number)} ${words}` : words, kind]);
  say(item.interrupted_count, "interrupted", "bad");
  say(item.open_count, STILL_OPEN, "open");
  for (const [error, times] of Object.entries(item.errors))
    found.push([(several ? `${count(times)} × ` : "") + clean(error), "error"]);
  return found;
}
const atLeast = (item) => (item.open_count + item.interrupted_count ? "≥ " : "") + duration(item.total_ns);

// ---- the tip beside the pointer ----

const tip = byId("tip");

function showTip(rows, title, x, y) {
  const line = ([name, value]) =>
    element("div", { class: "row" }, element("span", { class: "dim" }, name), element("span", {}, value));
  tip.replaceChildren(element("strong", { class: "name" }, title), ...rows.map(line));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 18 + height < innerHeight ? y + 18 : Math.max(4, y - height - 12)}px`;
}
const hideTip = () => { tip.hidden = true; };
