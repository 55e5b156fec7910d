/** What a person types to run `starform` again, from the folder that they are in: the command prints lines that work. */
import { relative } from "node:path"

const quoted = (path) => (/^[\w./:@-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)

/**
 * @param environment of this process; npm and pnpm say there which script they run, and from where
 * @param checkout folder of the project
 * @param script that npm runs under the name `starform`
 * @param folder the working directory
 */
export const calledAs = (environment, { checkout, script, folder }) => {
  const { INIT_CWD: from, npm_config_user_agent: agent = "", npm_lifecycle_event: name } = environment
  if (name !== "starform") return `node ${quoted(relative(folder, script))}`
  const isHere = from === undefined || from === checkout
  if (agent.startsWith("pnpm/")) return isHere ? "pnpm starform" : `pnpm --dir ${quoted(checkout)} starform`
  return isHere ? "npm run starform --" : `npm --prefix ${quoted(checkout)} run starform --`
}
