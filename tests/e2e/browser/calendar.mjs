// A practitioner's calendar by mouse and by keyboard: node calendar.mjs '{"gateway": ..., "person": {...}, "day": "2026-12-07", "link": ..., "pictures": folder?}'
// On that day a session lies at 10:00 of the person's zone, and two clients wait. Prints what it saw as JSON: what was
// said at each step, axe's violations, and what the browser refused or complained of.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import chromium from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";

const { gateway, person, day, link, pictures } = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu"], headless: true });
// Without transitions: axe would see colours on their way.
const context = await browser.newContext({ viewport: { width: 1280, height: 1100 }, locale: "en-GB", timezoneId: "America/New_York", reducedMotion: "reduce" });
context.setDefaultTimeout(100_000);
const page = await context.newPage();
const saw = { violations: [], complaints: [], tooWide: 0 };
// That a request was refused is what is tried here; what else the browser says is a complaint.
page.on("console", (message) => message.type() === "error" && !message.text().startsWith("Failed to load resource") && saw.complaints.push(message.text()));
page.on("pageerror", (error) => saw.complaints.push(String(error)));

await page.goto(`${gateway}/sign-in`);
await page.click(`button[name=sub][value="${person.sub}"]`);
await page.waitForURL(`${gateway}/**`);

const said = (text) => page.locator("#said").getByText(text).waitFor();
const refused = (text) => page.locator("#refused").getByText(text).waitFor();
const event = (time) => page.locator(".ec-event:not(.ec-ghost):not(.ec-preview)", { hasText: time });
const waiting = page.locator("#waiting [data-session]");

async function open() {
  await page.goto(`${gateway}/calendar?month=${day.slice(0, 7)}`);
  await page.locator("#calendar .ec-main").waitFor();
  // What others change is not to be heard here: a page that was left open must be one.
  await page.evaluate(() => document.body.addEventListener("booking:changed", (told) => told.stopImmediatePropagation(), true));
}

async function week() {
  await page.locator(".ec-timeGridWeek").click();
  await page.locator(".ec-time-grid .ec-main").waitFor();
  for (let n = 0; n < 6 && !(await page.locator(`.ec-col-head time[datetime="${day}"]`).count()); n += 1) {
    const shown = await page.locator(".ec-title").textContent();
    await page.locator(".ec-button.ec-next").click();
    await page.waitForFunction((before) => document.querySelector(".ec-title").textContent !== before, shown);
  }
  await page.locator(`.ec-col-head time[datetime="${day}"]`).waitFor();
}

const height = () => page.evaluate(() => parseFloat(getComputedStyle(document.querySelector(".ec-main")).getPropertyValue("--ec-slot-height")));

// Where it is, in view, once it stands still: what is drawn anew is nowhere for a moment, and one look in the page's own
// time cannot find it and lose it again as two from outside can.
async function placed(locator) {
  let before;
  for (const end = Date.now() + 100_000; Date.now() < end; ) {
    const box = await locator.evaluateAll(async ([one]) => {
      await new Promise(requestAnimationFrame);
      one?.scrollIntoViewIfNeeded();
      const { x, y, width, height } = one?.isConnected ? one.getBoundingClientRect() : {};
      return width ? { x, y, width, height } : null;
    });
    if (box && JSON.stringify(box) === before) return box;
    before = JSON.stringify(box);
  }
  throw new Error(`${locator} came to no rest`);
}

// The middle of a slot of an event's: no rounding makes it another slot.
async function middle(locator, slot = 0) {
  const box = await placed(locator);
  return [box.x + box.width / 2, box.y + (slot + 0.5) * (await height())];
}

// Pulls what is there to somewhere else, again where a drawing anew has let it go; what was said on the way.
async function pull(from, down) {
  for (let n = 0; n < 5; n += 1) {
    const [x, y] = await from();
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x, y + Math.sign(down) * 6);
    await page.mouse.move(x, y + down, { steps: 5 });
    if (await page.locator(".ec-preview").count()) break;
    await page.mouse.up();
  }
  const foreseen = await page.locator("#said").textContent();
  await page.mouse.up();
  return foreseen;
}

const drag = async (locator, slots) => pull(() => middle(locator), slots * (await height()));

async function look(name) {
  await page.locator("#calendar .ec-event").first().waitFor({ state: "attached" });
  const client = await context.newCDPSession(page);
  const { result } = await client.send("Runtime.evaluate", {
    expression: `${axe}; axe.run().then((told) => JSON.stringify(told.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))])))`,
    awaitPromise: true,
  });
  saw.violations.push(...JSON.parse(result.value).map((one) => [name, ...one]));
  saw.tooWide = Math.max(saw.tooWide, await page.evaluate(() => document.documentElement.scrollWidth - innerWidth));
  if (pictures) await page.screenshot({ path: `${pictures}/calendar-${name}.png`, fullPage: true });
}

// Moved by dragging: an hour later, then by its end half an hour longer.
await open();
await week();
await drag(event("10:00"), 2);
await said("It was moved.");
await event("11:00–12:00").waitFor();
await pull(async () => {
  const end = await placed(event("11:00–12:00"));
  return [end.x + end.width / 2, end.y + end.height - 2];
}, 12);
await event("11:00–12:30").waitFor();

// Moved elsewhere since: the stale move says so, and the session is where it is now.
const second = await context.newPage();
await second.goto(gateway + "/calendar");
const id = await page.evaluate(() => JSON.parse(document.getElementById("calendar").dataset.events).find((one) => one.editable).id);
await second.goto(`${gateway}/sessions/${id}`);
await second.fill("[name=time_start]", "14:00");
await second.fill("[name=time_end]", "15:00");
await second.click("#schedule form button");
await second.getByText("15:00–16:00").first().waitFor();
await second.close();
await drag(event("11:00–12:30"), 2);
await refused("Somebody changed this after you opened it.");
await event("15:00–16:00").waitFor();

// Dragged in onto a time that is taken: that is said beside the form, and again by the service.
await waiting.first().dragTo(page.locator(".ec-main"), { targetPosition: await within(event("15:00–16:00")), steps: 5 });
const asking = page.locator("#asking");
await asking.locator("[name=meeting_link]").waitFor();
saw.given = await asking.locator("form").evaluate((form) => ["scheduled_date", "time_start", "time_end", "timezone"].map((name) => form.elements[name].value));
await asking.locator(".taken li").getByText("Taken by").waitFor();
await asking.locator("[name=meeting_link]").fill(link);
await asking.locator("form button").click();
await asking.getByText("This time is taken.").waitFor();
await asking.locator("[name=time_start]").fill("17:00");
await asking.locator("[name=time_end]").fill("18:00");
await asking.locator(".taken li").first().waitFor({ state: "detached" });
await asking.locator("form button").click();
await said("The time was set.");
await asking.waitFor({ state: "hidden" });
await event("17:00–18:00").waitFor();

// Dragged onto another: foreseen, refused, put back where it was.
saw.foreseen = await drag(event("17:00–18:00"), -4);
await refused("This time is taken. Taken by");
await event("17:00–18:00").waitFor();
if (pictures) await page.screenshot({ path: `${pictures}/calendar-refused.png`, fullPage: true });

// By keyboard alone, with what is wrong beside its field while it is typed.
const tab = async (name) => {
  for (let n = 0; n < 40 && (await page.evaluate(() => document.activeElement.name)) !== name; n += 1) await page.keyboard.press("Tab");
};
const set = (name, value) => page.locator(`[name=${name}]:focus`).fill(value); // by keys in the order of the browser's own language
await waiting.first().locator("a").focus();
await page.keyboard.press("Enter");
await set("scheduled_date", day);
await tab("time_start");
await set("time_start", "08:00");
await tab("time_end");
await set("time_end", "09:00");
await tab("meeting_link");
await page.keyboard.type("https://example.com/meeting");
await asking.locator("#meeting_link-wrong").waitFor();
saw.wrong = await asking.locator("#meeting_link-wrong").textContent();
await page.keyboard.press("Control+A");
await page.keyboard.type(link);
await asking.locator("#meeting_link-wrong").waitFor({ state: "detached" });
if (pictures) await page.screenshot({ path: `${pictures}/calendar-form.png` });
await page.keyboard.press("Enter");
await said("The time was set.");
await waiting.first().waitFor({ state: "detached" });
await event("08:00–09:00").waitFor();

for (const [width, colorScheme] of [[1280, "dark"], [360, "light"]]) {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme });
  await open();
  await page.locator(".ec-dayGridMonth").click();
  await page.locator(".ec-day-grid .ec-main").waitFor();
  await look(`month-${width}-${colorScheme}`);
  await week();
  await look(`week-${width}-${colorScheme}`);
}
console.log(JSON.stringify(saw));
await browser.close();

async function within(locator) {
  const [x, y] = await middle(locator, 1);
  const main = await page.locator(".ec-main").boundingBox();
  return { x: x - main.x, y: y - main.y };
}
