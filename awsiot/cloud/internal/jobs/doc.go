// Package jobs is the device side of AWS IoT Jobs as pure functions on a thing's queue of job
// executions: requests and the passing of time change the queue, and return what is to be
// published. It knows no topics but their ends, no files and no clock.
//
// It implements "Jobs device MQTT API operations" and "Jobs and job execution states" of the
// AWS IoT Core developer guide:
//
//	QUEUED ──start-next, update──▶ IN_PROGRESS ──update──▶ SUCCEEDED, FAILED, REJECTED
//	   │                               ├──time-out──▶ TIMED_OUT
//	   ├──update──▶ (as IN_PROGRESS)   └──cancel, by force──▶ CANCELED
//	   └──cancel──▶ CANCELED
//
// The next execution is the oldest that is in progress, or else the oldest that is queued.
// All times are in seconds since 1970, as AWS sends them by MQTT.
package jobs
