/** Names that appear in URLs, namespaces and host names; immutable after creation. */
import * as Schema from "effect/Schema"

/**
 * Slug of a workspace, project or service: 2–63 lower-case letters, digits and inner hyphens.
 *
 * @source reference specification §2 (FR-006, FR-007)
 */
export const Slug = Schema.String.check(
  Schema.isBetweenLength(2, 63),
  Schema.isPattern(/^[a-z0-9][a-z0-9-]*[a-z0-9]$/)
).pipe(Schema.brand("Slug"))
export type Slug = typeof Slug.Type

/**
 * Customer-named environment (`production`, `staging`, …): an RFC 1123 label of at most 30 characters.
 *
 * @source reference specification §2 (FR-070)
 */
export const EnvironmentName = Schema.String.check(
  Schema.isBetweenLength(1, 30),
  Schema.isPattern(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
).pipe(Schema.brand("EnvironmentName"))
export type EnvironmentName = typeof EnvironmentName.Type

/** Name of a process type as in a Procfile: `web` is the one that answers HTTP. An RFC 1123 label, at most 20 characters. */
export const ProcessName = Schema.String.check(
  Schema.isBetweenLength(1, 20),
  Schema.isPattern(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
).pipe(Schema.brand("ProcessName"))
export type ProcessName = typeof ProcessName.Type

/** A public host name: lower-case RFC 1123 labels, at most 253 characters in all, 63 each. */
export const Hostname = Schema.String.check(
  Schema.isBetweenLength(1, 253),
  Schema.isPattern(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/)
).pipe(Schema.brand("Hostname"))
export type Hostname = typeof Hostname.Type

/** A Kubernetes namespace: an RFC 1123 label of at most 63 characters. */
export const NamespaceName = Schema.String.check(
  Schema.isBetweenLength(1, 63),
  Schema.isPattern(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
).pipe(Schema.brand("NamespaceName"))
export type NamespaceName = typeof NamespaceName.Type

/** Key of an environment variable: letters, digits and underscores, not starting with a digit; at most 128 characters. */
export const VariableName = Schema.String.check(
  Schema.isBetweenLength(1, 128),
  Schema.isPattern(/^[A-Za-z_][A-Za-z0-9_]*$/)
).pipe(Schema.brand("VariableName"))
export type VariableName = typeof VariableName.Type
