/** `pnpm starform …` or `npm run starform -- …`: the command, under a Node that runs it. Its input and output are yours. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, root, runToEnd } from "./bootstrap.mjs"

await bootstrap(fileURLToPath(import.meta.url), { input: "inherit" })
const main = join(root, "packages", "cli", "src", "main.ts")
process.exit(await runToEnd(process.execPath, [main, ...process.argv.slice(2)], { input: "inherit" }))
