// Package jobs is the device side of AWS IoT Jobs: it starts the jobs that are queued for a
// thing, one after another, and reports what becomes of them. Clouds that speak the same
// topics are served as well.
//
//	s, err := jobs.New(jobs.Options{Link: link, Thing: "pi-7", Store: jobs.File(path), Now: jobs.ThisBoot(),
//		Handlers: map[string]jobs.Handler{
//			"diagnose": func(ctx context.Context, j *jobs.Job) jobs.Result { … },
//			"reboot":   jobs.AcrossBoots(reboot),
//		}})
//	…                          // Options.OnState of the link calls s.Online
//	err = s.Run(ctx)
//
// # How it works
//
// A [Machine] is the conversation with the cloud as a pure state machine: messages, times and
// results go in, requests and events come out. A [Service] runs it on a connection, and the
// handler of one job at a time.
//
//	idle ──connected, notify-next──▶ start-next ──no execution──▶ idle
//	                                     │ execution
//	                                     ▼
//	             ┌──progress, renewal── working ──result──▶ update ──accepted──▶ start-next
//	             └────────▶ update ────────┘                   │
//	                          └─VersionMismatch, no answer─▶ get: continues, or is over
//
// A job in progress is the first that start-next returns, so that a new run takes it up again.
// What it was doing is in the job's status details, and in the [Store], a small file. A result
// is saved before it is reported: a job that has one is not run again. Where a job ends the
// process, or the machine's boot, its success is decided by their ids and by no clock.
//
// The protocol: https://docs.aws.amazon.com/iot/latest/developerguide/jobs-mqtt-api.html
package jobs
