/** What keeps a text from being JSON, on one line for the person who wrote it: pure. */
import * as Result from "effect/Result"

const words = (cause: unknown): string =>
  cause instanceof Error
    ? cause.message
        .replace(/, .* is not valid JSON$/s, "")
        .replace(/ in JSON at position \d+/, "")
        .replaceAll(/\s+/g, " ")
    : ""

/** The message of a schema error, `… at ["a"]["b"]`, as `a.b: …`. */
export const schemaProblem = (message: string): string => {
  const [problem = "", at = ""] = message.split("\n")
  const place = [...at.matchAll(/\["?([^\]"]+)"?\]/g)].map(([, key]) => key).join(".")
  const said = problem
    .replace("Expected no excess property", "is not a setting")
    .replace("Missing key", "is missing")
    .replace(/^Expected/, "expected")
  return place === "" ? said : `${place}: ${said}`
}

/** `undefined` for JSON. Line and column are told where the parser knows them. */
export const jsonProblem = (text: string): string | undefined =>
  Result.match(
    Result.try((): unknown => JSON.parse(text)),
    { onSuccess: () => undefined, onFailure: (cause) => `is not JSON: ${words(cause)}` }
  )
