/**
 * The branded UUIDs of things that have an identity of their own. Slugs and names are beside this file:
 * they never change after creation, but nothing is keyed by them.
 */
import * as Schema from "effect/Schema"

/** A tenant: billing boundary, members, plan. */
export const WorkspaceId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("WorkspaceId"))
export type WorkspaceId = typeof WorkspaceId.Type

/** Pinned to one cluster at creation; one namespace there. */
export const ProjectId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("ProjectId"))
export type ProjectId = typeof ProjectId.Type

/** What runs: web, worker or cron. One service has one app per environment. */
export const ServiceId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("ServiceId"))
export type ServiceId = typeof ServiceId.Type

/** One customer cluster, served by one Shuttle. */
export const ClusterId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("ClusterId"))
export type ClusterId = typeof ClusterId.Type

/** One act of making something live; spent for ever, also as the key of its workflow. */
export const DeployId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("DeployId"))
export type DeployId = typeof DeployId.Type

/** The immutable output of a build; may be deployed many times. */
export const ReleaseId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("ReleaseId"))
export type ReleaseId = typeof ReleaseId.Type

/** One run of a builder. Equal to the deploy's id: a deploy builds at most once. */
export const BuildId = Schema.String.check(Schema.isUUID()).pipe(Schema.brand("BuildId"))
export type BuildId = typeof BuildId.Type

/** Chosen by the caller; a repeat with the same id takes effect at most once per entity. 1–200 characters. */
export const RequestId = Schema.String.check(Schema.isBetweenLength(1, 200)).pipe(Schema.brand("RequestId"))
export type RequestId = typeof RequestId.Type
