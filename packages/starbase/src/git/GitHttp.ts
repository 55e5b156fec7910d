/** Smart HTTP on `/git/<workspace>/<project>/<service>.git`, served by git's own `http-backend` as a CGI program. */
import { statusOf, type WireError } from "@starform/domain/errors/Reaction"
import { InvalidInput, NotFound } from "@starform/domain/errors/RequestErrors"
import { Slug } from "@starform/domain/ids/Slug"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Directory } from "../api/Directory.ts"
import { Authenticator } from "../security/Authenticator.ts"
import { type CgiFailed, respond } from "./CgiProgram.ts"
import { GitConfig, type GitSettings } from "./GitConfig.ts"
import { GitHooks } from "./GitHooks.ts"
import * as GitProcess from "./GitProcess.ts"
import { GitRepositories } from "./GitRepositories.ts"
import * as OversizedPush from "./OversizedPush.ts"
import type { PushTarget } from "./PushSession.ts"

const decodeSlug = Schema.decodeUnknownEffect(Slug)

const path = /^\/git\/([^/]+)\/([^/]+)\/([^/]+)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/

/** What a person leaves out most often. */
const repositoryWithoutEnding =
  /^(\/git\/[^/]+\/[^/]+\/[^/]+(?<!\.git))\/(info\/refs|git-upload-pack|git-receive-pack)$/

type Service = "git-upload-pack" | "git-receive-pack"

const credential = (header: string | undefined) => {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/.exec(header ?? "")?.[1]
  const text = encoded === undefined ? "" : Buffer.from(encoded, "base64").toString("utf8")
  return Redacted.make(text.slice(text.indexOf(":") + 1))
}

const slug = (kind: string, text: string | undefined) =>
  decodeSlug(text).pipe(
    Effect.mapError(
      () =>
        new InvalidInput({
          field: kind,
          problem: `"${text ?? ""}" is not a name: 2–63 lower-case letters, digits and inner hyphens`
        })
    )
  )

/** Who asks for what. Makes the repository of a service that is asked for for the first time. */
export const locate = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, url: URL) {
  const authenticator = yield* Authenticator
  const directory = yield* Directory
  const repositories = yield* GitRepositories
  const match = path.exec(url.pathname)
  const withoutEnding = repositoryWithoutEnding.exec(url.pathname)?.[1]
  if (withoutEnding !== undefined) {
    return yield* new InvalidInput({
      field: "URL",
      problem: `it must end in .git: ${(yield* GitConfig).publicUrl}${withoutEnding}.git`
    })
  }
  if (match === null) return yield* new NotFound({ kind: "repository", name: url.pathname.slice(5) })
  const [, workspaceText, projectText, serviceText, action] = match
  const service = (action === "info/refs" ? url.searchParams.get("service") : action) as Service | null
  if (service !== "git-upload-pack" && service !== "git-receive-pack") {
    return yield* new InvalidInput({ field: "service", problem: "only git's smart protocol is spoken here" })
  }
  const principal = yield* authenticator.authenticate(credential(request.headers["authorization"]))
  const isPush = service === "git-receive-pack"
  const workspace = yield* slug("workspace", workspaceText)
  const project = yield* slug("project", projectText)
  const name = yield* slug("service", serviceText)
  const located = yield* directory.project(principal, workspace, project, isPush ? "write" : "read")
  const repository = { projectId: located.project.id, service: name }
  const isKnown = located.project.services.some((known) => known.slug === name)
  if (!isPush && !isKnown) return yield* new NotFound({ kind: "service", name })
  yield* repositories.ensure(repository)
  const target: PushTarget = { principal, located, service: name }
  // Made anew: git and this file might disagree about a query that names two services.
  const query = action === "info/refs" ? `service=${service}` : ""
  return { target, repository, isPush, action: action ?? "", query }
})

const plain = (text: string, status: number, headers: Record<string, string> = {}) =>
  HttpServerResponse.text(`${text}\n`, { status, headers, contentType: "text/plain; charset=utf-8" })

const answerError =
  (tokenAdvice: string) =>
  (error: (WireError & { readonly _tag: string }) | GitProcess.GitFailed | CgiFailed) => {
    if (!("reaction" in error)) {
      return Effect.as(Effect.logError("git", error), plain("Starform could not open this repository.", 500))
    }
    const status = statusOf(error.reaction)
    const headers: Record<string, string> =
      error._tag === "Unauthenticated" ? { "www-authenticate": 'Basic realm="Starform"' } : {}
    const words =
      error._tag === "Unauthenticated" && tokenAdvice !== "" ? `${error.person} ${tokenAdvice}` : error.person
    return Effect.succeed(plain(words, status === 422 ? 404 : status, headers))
  }

/** git's view of the request. */
const environmentOf = (
  settings: GitSettings,
  request: HttpServerRequest.HttpServerRequest,
  query: string,
  pathInfo: string,
  hook: Record<string, string>
): Record<string, string> => {
  const optional = (key: string, header: string) => {
    const value = request.headers[header]
    return value === undefined ? {} : { [key]: value }
  }
  return {
    ...GitProcess.environment(settings.searchPath, settings.directory),
    ...hook,
    GIT_PROJECT_ROOT: settings.directory,
    GIT_HTTP_EXPORT_ALL: "1",
    GIT_HTTP_MAX_REQUEST_BUFFER: String(settings.pushBytesMax),
    PATH_INFO: pathInfo,
    QUERY_STRING: query,
    REQUEST_METHOD: request.method,
    REMOTE_ADDR: settings.host,
    REMOTE_USER: "token",
    ...optional("CONTENT_TYPE", "content-type"),
    ...optional("CONTENT_LENGTH", "content-length"),
    ...optional("HTTP_CONTENT_ENCODING", "content-encoding"),
    ...optional("GIT_PROTOCOL", "git-protocol")
  }
}

const serve = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const settings = yield* GitConfig
  const hooks = yield* GitHooks
  const atMs = yield* Clock.currentTimeMillis
  const url = new URL(request.url, "http://git.invalid")
  const { target, repository, isPush, action, query } = yield* locate(request, url)
  const arrived = { atMs, trace: Option.toArray(HttpTraceContext.fromHeaders(request.headers)) }
  const hook: Record<string, string> =
    isPush && action === "git-receive-pack"
      ? {
          STARFORM_HOOK_SOCKET: settings.socketPath,
          STARFORM_PUSH_TOKEN: yield* hooks.issue({ ...target, arrived })
        }
      : {}
  const pathInfo = `/${repository.projectId}/${repository.service}.git/${action}`
  return yield* respond(
    request,
    "git",
    ["http-backend"],
    environmentOf(settings, request, query, pathInfo, hook),
    isPush ? OversizedPush.explain(settings.pushBytesMax) : identity
  )
})

const handle = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.flatMap(GitConfig, ({ tokenAdvice }) => Effect.catch(serve(request), answerError(tokenAdvice)))

/** Adds `/git/…` to the router. */
export const layerRoutes = HttpRouter.add("*", "/git/*", handle)
