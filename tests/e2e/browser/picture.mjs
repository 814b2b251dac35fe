// Takes pictures of a gateway's pages: node picture.mjs '{"gateway": ..., "folder": ..., "pictures": [{"name", "sub", "path", "wait", "size": [width, height], "scheme"}]}'
// Signs in whom the provider's page offers, if there is a `sub`; `path` is a whole address otherwise; `wait` is a selector that must be there first; `whole`
// takes the page to its foot. Prints each file's name.
import chromium from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";

const { gateway, folder, pictures } = JSON.parse(process.argv[2]);
const browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu"], headless: true, timeout: 120_000 });
for (const { name, sub, path, wait, size: [width, height], scheme, whole } of pictures) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  if (sub) {
    await page.goto(`${gateway}/sign-in`);
    await page.click(`button[name=sub][value="${sub}"]`);
    await page.waitForURL(`${gateway}/**`);
  }
  await page.goto(sub ? gateway + path : path, { waitUntil: "load" });
  await page.locator(wait).first().waitFor();
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: whole });
  console.log(`${name}.png`);
  await context.close();
}
await browser.close();
