/** The Tenant as the journal sees it. Pure. */
import type { ReadModelRow, ReservedName } from "../../journal/Journal.ts"
import type { EntityModel } from "../../journal/EntityModel.ts"
import { OutboxEffect } from "../../outbox/OutboxEffect.ts"
import { evolve, initial, TenantEvent, TenantState } from "./TenantState.ts"

const reserves = (event: TenantEvent): ReadonlyArray<ReservedName> => {
  switch (event._tag) {
    case "WorkspaceCreated":
      return [{ kind: "workspace", name: event.workspace.slug }]
    case "ProjectCreated":
      return [{ kind: "namespace", name: `${event.project.clusterId}/${event.project.namespace}` }]
    default:
      return []
  }
}

/** Read models: `workspace` by slug; `project` by `<workspace slug>/<project slug>`, listed by workspace slug. */
const rows = (events: ReadonlyArray<TenantEvent>, state: TenantState): ReadonlyArray<ReadModelRow> => {
  const { workspace } = state
  if (workspace === null) return []
  const created: ReadonlyArray<ReadModelRow> = events.some(({ _tag }) => _tag === "WorkspaceCreated")
    ? [{ model: "workspace", key: workspace.slug, parent: "all", row: workspace }]
    : []
  const touched = new Set(
    events.flatMap((event) => {
      if (event._tag === "ProjectCreated") return [event.project.id]
      return "projectId" in event ? [event.projectId] : []
    })
  )
  const projects = state.projects
    .filter(({ id }) => touched.has(id))
    .map((project) => ({
      model: "project",
      key: `${workspace.slug}/${project.slug}`,
      parent: workspace.slug,
      row: project
    }))
  return [...created, ...projects]
}

export const model: EntityModel<TenantState, TenantEvent, OutboxEffect> = {
  type: "Tenant",
  state: TenantState,
  event: TenantEvent,
  effect: OutboxEffect,
  initial,
  evolve,
  effects: () => [],
  reserves,
  releases: () => [],
  rows
}
