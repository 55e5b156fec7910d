/** `npm run bench <name>`: one benchmark of `bench/`, with everything that it compares itself to, in one run. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, fail, root, runToEnd } from "./bootstrap.mjs"

const benchmarks = ["push", "journal", "entities", "pulls", "burst", "failover", "shuttle"]

await bootstrap(fileURLToPath(import.meta.url))
const [name = "", ...rest] = process.argv.slice(2)
if (!benchmarks.includes(name)) fail(`npm run bench <name>, one of: ${benchmarks.join(", ")}`)
process.exit(await runToEnd(process.execPath, [join(root, "bench", `${name}.ts`), ...rest]))
