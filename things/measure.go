package things

import (
	"context"
	"fmt"
	"time"

	"pithings/pulse"
)

// asked hands measurements that others want to the goroutine of Run, which alone uses the
// sensor, between two intervals. Two programs on one sensor spoil each other's readings: with
// a BME680, settings and the start of a measurement are several transfers.
type asked[S any] chan func(ctx context.Context, sensor *S)

// ask has a measurement made and returns its answer.
func ask[S, A any](ctx context.Context, to asked[S], thing string, measure func(ctx context.Context, sensor *S) A) (answer A, err error) {
	reply := make(chan A, 1)
	select {
	case to <- func(ctx context.Context, sensor *S) { reply <- measure(ctx, sensor) }:
	case <-ctx.Done():
		return answer, fmt.Errorf("thing %s takes no reading now: %w", thing, context.Cause(ctx))
	}
	select {
	case answer = <-reply:
		return answer, nil
	case <-ctx.Done():
		return answer, fmt.Errorf("the sensor of thing %s does not answer: %w", thing, context.Cause(ctx))
	}
}

// pause waits for the next interval or for now, and makes the measurements that others want
// meanwhile. It returns false when ctx is done.
func (a asked[S]) pause(ctx context.Context, turns *pulse.Loop, sensor *S, next <-chan time.Time, now <-chan struct{}) bool {
	for {
		turns.Wait()
		select {
		case <-ctx.Done():
			return false
		case <-next:
			return true
		case <-now:
			return true
		case measure := <-a:
			turns.Work()
			measure(ctx, sensor)
		}
	}
}
