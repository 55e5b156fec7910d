/** The numbers of the agent; docs/shuttle-metrics.md says what each means. Names are those of the reference specification §6.6. */
import * as Metric from "effect/Metric"

export const reconcileErrors = Metric.counter("starform_reconcile_errors_total", {
  description: "Passes over a project that did not end well",
  incremental: true
})

export const reconcileSeconds = Metric.histogram("starform_reconcile_duration_seconds", {
  description: "Duration of passes over one project",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
})

export const appliesSent = Metric.counter("starform_applies_sent_total", {
  description: "Objects sent to server-side apply",
  incremental: true
})

export const deletesSent = Metric.counter("starform_deletes_sent_total", {
  description: "Objects asked to be deleted",
  incremental: true
})

export const driftRepaired = Metric.counter("starform_drift_repaired_total", {
  description: "Objects applied again because somebody else changed or removed them",
  incremental: true
})

export const reportsSent = Metric.counter("starform_status_reports_sent_total", {
  description: "Status reports that Starbase acknowledged",
  incremental: true
})

export const reportsFailed = Metric.counter("starform_status_reports_failed_total", {
  description: "Status reports that Starbase did not acknowledge",
  incremental: true
})

export const snapshotsSent = Metric.counter("starform_snapshots_sent_total", {
  description: "Pod snapshots that Starbase acknowledged",
  incremental: true
})

export const snapshotsFailed = Metric.counter("starform_snapshots_failed_total", {
  description: "Pod snapshots that an attempt to send did not get acknowledged; they are sent again",
  incremental: true
})

export const snapshotsDropped = Metric.counter("starform_snapshots_dropped_total", {
  description: "Pod snapshots that were given up: beyond the buffer's bounds, unreadable, or not understood",
  incremental: true
})

export const snapshotSweepsSkipped = Metric.counter("starform_snapshot_sweeps_skipped_total", {
  description: "Sweeps that were not made because the cluster had not been heard of",
  incremental: true
})

export const snapshotBufferBytes = Metric.gauge("starform_snapshot_buffer_bytes", {
  description: "Bytes of pod snapshots that Starbase has not acknowledged yet"
})

export const snapshotBufferAge = Metric.gauge("starform_snapshot_buffer_oldest_age_seconds", {
  description: "Age of the oldest of them at the last sweep or acknowledgement; 0 without one"
})

export const capacityReportsSent = Metric.counter("starform_capacity_reports_sent_total", {
  description: "Capacity reports that Starbase acknowledged",
  incremental: true
})

export const requestsAtOnceMax = Metric.gauge("starform_kubernetes_requests_at_once", {
  description: "Requests that the API server is sent at once, as it keeps up with them"
})

export const requestsPushedBack = Metric.counter("starform_kubernetes_requests_pushed_back_total", {
  description: "Requests that the API server refused for its load; they were sent again",
  incremental: true
})

export const leads = Metric.gauge("starform_shuttle_leader", {
  description: "1 while this agent leads: it writes and reports; 0 while another one may"
})

/** By kind of request. Seconds; a pull's wait is part of it. */
export const starbaseRequestSeconds = (request: string) =>
  Metric.withAttributes(
    Metric.histogram("starform_starbase_request_duration_seconds", {
      description: "Duration of requests to Starbase",
      boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    }),
    { request }
  )

/** By resource. Seconds since 1970 of the last line of its watch, bookmarks included. */
export const informerLastEvent = (resource: string) =>
  Metric.withAttributes(
    Metric.gauge("starform_informer_last_event_timestamp_seconds", {
      description: "When the watch of a resource last said something"
    }),
    { resource }
  )

export const informerErrors = (resource: string) =>
  Metric.withAttributes(
    Metric.counter("starform_informer_watch_errors_total", {
      description: "Watches and lists that failed",
      incremental: true
    }),
    { resource }
  )
