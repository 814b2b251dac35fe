// Three people in their windows, none of which is reloaded: node windows.mjs '{"gateway": ..., "member": {...}, "practitioner": {...},
// "admin": {...}, "order": path, "session": path, "first": {...}, "second": {...}, "third": {...}}', three schedules as typed.
// Prints "whole" at the end; what does not come true is told by its step.
import chromium from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";

const { gateway, member, practitioner, admin, order, session, first, second, third } = JSON.parse(process.argv[2]);
const PATIENCE = 120_000; // milliseconds, for one step on a machine with much else to do
const browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu"], headless: true, timeout: PATIENCE });

async function signIn(page, person) {
  await page.goto(`${gateway}/sign-in`);
  await page.click(`button[name=sub][value="${person.sub}"]`);
  await page.waitForURL(`${gateway}/**`);
}

async function window(person) {
  const context = await browser.newContext({ locale: "en-GB" });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await signIn(page, person);
  return context;
}

// A page that is left open: who loads it again loses the mark.
async function left(context, path) {
  const page = await context.newPage();
  await page.goto(gateway + path);
  await page.waitForFunction(() => document.getElementById("not-live").hidden);
  await page.evaluate(() => (document.left = true));
  return page;
}

async function shows(page, text) {
  await page.locator("main").getByText(text).first().waitFor();
  if (!(await page.evaluate(() => document.left))) throw new Error(`${page.url()} was loaded again`);
}

async function type(page, schedule) {
  for (const [name, value] of Object.entries(schedule)) await page.fill(`#schedule [name=${name}]`, value);
}

const time = ({ time_start, time_end }) => `${time_start}–${time_end}`;
const send = (page) => page.locator("#schedule button");

const [theirs, budis, admins] = [await window(member), await window(practitioner), await window(admin)];
const [watching, waiting, other, keeping] = [
  await left(theirs, session), await left(budis, "/waiting"), await left(budis, session), await left(admins, `/admin${order}`),
];

// A double click sets the time once; every other window shows it.
const acting = await budis.newPage();
await acting.goto(gateway + session);
await type(acting, first);
await send(acting).dblclick();
await acting.locator("main").getByText("The schedule was set").waitFor();
await shows(watching, "The schedule was set");
await shows(waiting, "Nobody waits for your answer");
await shows(keeping, "Scheduled");
await shows(other, "Move it");
if ((await watching.getByText("The schedule was set").count()) !== 1) throw new Error("it was set twice");

// The second tab is typed in while the first moves it: what is typed stays, and is not sent over what it was not made of.
await type(other, third);
await type(acting, second);
await send(acting).click();
await acting.locator("#now").getByText(time(second)).waitFor();
await shows(other, time(second));
if ((await other.inputValue("#schedule [name=time_start]")) !== third.time_start) throw new Error("what was typed is gone");
await send(other).click();
await other.getByText("Somebody changed this after you opened it").waitFor();
await send(other).click();
await other.locator("#now").getByText(time(third)).waitFor();
await shows(watching, time(third));

// Back: the page is as things are now, and not as they were.
await acting.goBack();
await acting.locator("#now").getByText(time(third)).waitFor();

// Who sends a form after their session has ended signs in elsewhere, and sends it from where it is.
await theirs.clearCookies();
await watching.locator("#cancel summary").click();
await watching.fill("#cancel [name=reason]", "Saya sakit.");
await watching.locator("#cancel form button").click();
await watching.getByText("Nothing that you typed is lost").or(watching.getByText("yang Anda ketik hilang")).first().waitFor();
await signIn(await theirs.newPage(), member);
await watching.locator("main form button").dblclick();
await watching.locator("main").getByText("Saya sakit.").first().waitFor();
await acting.locator("main").getByText("Saya sakit.").first().waitFor();
await shows(keeping, "Canceled");

// Who signs out in one tab is told so in the others.
await other.locator("form[action='/sign-out'] button").click();
await acting.locator("#not-live").waitFor({ state: "visible" });

console.log("whole");
await browser.close();
