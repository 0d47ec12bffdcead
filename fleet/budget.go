package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// budget keeps what is asked for from outside within the limits of a fleet: how many messages of
// telemetry all devices publish in a second, and how many others may be sent beside them.
type budget struct {
	mu    sync.Mutex
	most  float64 // messages in a second
	rate  float64 // of telemetry
	ready float64 // messages that may be sent at once
	at    time.Time
}

// overError says that more messages are asked for than are sent.
type overError struct{ most, asked float64 }

func (e *overError) Error() string {
	return fmt.Sprintf("that would be %.5g messages a second of all devices: at most %.5g are sent there; take a longer interval", e.asked, e.most)
}

// limit sets the bound, which depends on where the broker is.
func (b *budget) limit(most float64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.most = most
	if b.rate > most {
		return &overError{most, b.rate}
	}
	return nil
}

// change changes the rate of telemetry, unless that is too much.
func (b *budget) change(by float64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if by > 0 && b.rate+by > b.most*(1+1e-9) { // sums of thousands are not exact
		return &overError{b.most, b.rate + by}
	}
	b.rate += by
	return nil
}

// leastRate is how many messages beside telemetry are sent in a second, however much that is.
const leastRate = 10

// take waits until so many messages may be sent, at most a second's. It does so in turn.
func (b *budget) take(ctx context.Context, n int) error {
	for {
		wait := b.try(time.Now(), float64(n))
		if wait == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errStopped, ctx.Err())
		case <-time.After(wait):
		}
	}
}

var errStopped = errors.New("that was broken off")

// try takes n messages, or returns how long to wait.
func (b *budget) try(now time.Time, n float64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	rate := max(b.most-b.rate, leastRate)
	if b.at.IsZero() {
		b.ready = rate
	} else {
		b.ready = min(b.ready+rate*now.Sub(b.at).Seconds(), rate)
	}
	b.at = now
	if n = min(n, rate); b.ready >= n {
		b.ready -= n
		return 0
	}
	return time.Duration((n - b.ready) / rate * float64(time.Second))
}
