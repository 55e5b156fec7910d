/** An `index.html` where a static site has one. */
import * as Result from "effect/Result"
import type { Detector } from "./BuildPlan.ts"
import { shellCommand } from "./ShellCommand.ts"
import { siteFolder } from "./StartCommand.ts"

export const detectSite: Detector = ({ source, settings }) => {
  const folder = siteFolder(source, settings.build !== undefined)
  if (folder === null && settings.build === undefined) return undefined
  const place = folder === null || folder === "." ? "" : ` in ${folder}/`
  return Result.succeed({
    notes: [{ source: "notice", text: `static site (index.html${place})` }],
    install: null,
    build: settings.build === undefined ? null : shellCommand(settings.build)
  })
}
