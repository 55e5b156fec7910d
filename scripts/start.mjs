/** `npm start`: the whole platform on this machine. Arguments go to Launchpad (`npm start -- --help`). */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, root, runToEnd } from "./bootstrap.mjs"

await bootstrap(fileURLToPath(import.meta.url))
const main = join(root, "infra", "launchpad", "src", "main.ts")
process.exit(await runToEnd(process.execPath, [main, ...process.argv.slice(2)]))
