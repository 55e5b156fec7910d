/** The counters of the agent. Names are those of the reference specification §6.6. */
import * as Metric from "effect/Metric"

export const reconcileErrors = Metric.counter("starform_reconcile_errors_total", {
  description: "Passes over a project that did not end well",
  incremental: true
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

export const requestsAtOnceMax = Metric.gauge("starform_kubernetes_requests_at_once", {
  description: "Requests that the API server is sent at once, as it keeps up with them"
})

export const requestsPushedBack = Metric.counter("starform_kubernetes_requests_pushed_back_total", {
  description: "Requests that the API server refused for its load; they were sent again",
  incremental: true
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
