/** The credential of an HTTP request: `Authorization: Bearer <token>`. */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const bearer = /^Bearer ([\x21-\x7e]{1,256})$/

/** `None` when there is no such header, or when no token could look like its value. */
export const fromHeaders = (
  headers: Readonly<Record<string, string | undefined>>
): Option.Option<Redacted.Redacted<string>> =>
  Option.map(Option.fromNullishOr(bearer.exec(headers["authorization"] ?? "")?.[1]), (text) =>
    Redacted.make(text)
  )
