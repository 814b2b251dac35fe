// Signs somebody in at a gateway and looks at its pages: node visit.mjs '{"gateway": ..., "person": {...}, "pages": [...], "narrow": [...]?, "pictures": folder?}'
// Prints what it found as JSON: for each page axe's violations, what the browser refused or complained of, requests to
// elsewhere, whether it is wider than a small phone, how far its layout shifted, and the bytes of a first load.
// Those of "narrow" are looked at on the phone alone: they are made of what the others are made of.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import chromium from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";

const { gateway, person, pages, narrow = [], pictures } = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu"], headless: true, timeout: 120_000 });
const found = [];
const PATIENCE = 120_000; // milliseconds, for one step on a machine with much else to do

async function signIn(page) {
  await page.goto(`${gateway}/sign-in`);
  await page.click(`button[name=sub][value="${person.sub}"]`); // who signed in there before is offered
  await page.waitForURL(`${gateway}/**`);
}

for (const [width, colorScheme] of [[360, "light"], [1280, "dark"]]) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.shift += one.value)))
      .observe({ type: "layout-shift", buffered: true });
  });
  const elsewhere = [];
  page.on("request", (request) => new URL(request.url()).origin !== gateway && elsewhere.push(request.url()));

  await signIn(page);
  complaints.length = elsewhere.length = 0; // the provider's pages are its own affair

  for (const path of width === 360 ? [...pages, ...narrow] : pages) {
    await page.goto(gateway + path, { waitUntil: "load" });
    const client = await context.newCDPSession(page);
    await client.send("Runtime.enable");
    const { result } = await client.send("Runtime.evaluate", {
      expression: `${axe}; axe.run().then((told) => JSON.stringify(told.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))])))`,
      awaitPromise: true,
    });
    const bytes = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce((sum, one) => sum + one.transferSize, 0));
    found.push({
      path, width, violations: JSON.parse(result.value), complaints: complaints.splice(0), elsewhere: elsewhere.splice(0),
      tooWide: await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), shift: await page.evaluate(() => window.shift), bytes,
      styled: await page.evaluate(() => document.styleSheets.length), htmx: await page.evaluate(() => typeof window.htmx),
    });
    if (pictures) await page.screenshot({ path: `${pictures}/${person.role}${path.replaceAll("/", "-").slice(0, 24)}-${width}.png`, fullPage: true });
    // A page that follows changes may be asking just now: to cut that off is our doing, and no complaint of the page's.
    await page.goto("about:blank");
    complaints.length = elsewhere.length = 0;
  }
  await context.close();
}
console.log(JSON.stringify(found));
await browser.close();
