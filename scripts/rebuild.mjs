/** `npm run rebuild`: read models and names made again from the journal of the database at `STARBASE_DATABASE_URL`. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, root, runToEnd } from "./bootstrap.mjs"

await bootstrap(fileURLToPath(import.meta.url))
const main = join(root, "packages", "starbase", "src", "rebuild", "main.ts")
process.exit(await runToEnd(process.execPath, [main]))
