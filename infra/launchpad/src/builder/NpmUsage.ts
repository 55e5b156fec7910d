/** npm's page of usage, which follows each refusal of `npm ci` and buries what it refused: pure. */

/** First line of the page; about 90 more follow it, to the end of the output. */
const begin = /^npm (error|ERR!) Clean install a project$/

/** Tells lines that are worth reading from those of the page; asked once for every line of a step, in order. */
export const usageFilter = (argv: ReadonlyArray<string>): ((line: string) => boolean) => {
  if (argv[0] !== "npm" || argv[1] !== "ci") return () => true
  let isUsage = false
  return (line) => {
    isUsage ||= begin.test(line)
    return !isUsage
  }
}
