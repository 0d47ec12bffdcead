package things

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// maxPayload bounds what a thing reads of a command or an answer: the payload
// limit of AWS IoT Core, which is far above what these contracts need.
const maxPayload = 128 << 10

// decode reads a received payload, which must be a JSON object. Nothing in it
// can be trusted; the message of an error holds none of its bytes.
func decode(payload []byte, into any) error {
	if len(payload) > maxPayload {
		return fmt.Errorf("payload of %d bytes is longer than %d", len(payload), maxPayload)
	}
	if string(bytes.TrimSpace(payload)) == "null" { // which Unmarshal takes for anything
		return errors.New("payload is a JSON null; a JSON object is wanted")
	}
	if err := json.Unmarshal(payload, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			if wrong.Field == "" {
				return fmt.Errorf("payload is a JSON %s; a JSON object is wanted", wrong.Value)
			}
			return fmt.Errorf("%q is a JSON %s; a %s is wanted", wrong.Field, wrong.Value, wrong.Type)
		}
		return fmt.Errorf("payload is not JSON (%d bytes)", len(payload))
	}
	return nil
}

// job is one thing being done at a time, in a goroutine of its own.
type job struct {
	log *slog.Logger

	mu      sync.Mutex
	cancel  context.CancelFunc
	done    chan struct{} // closed when what was started last has ended; nil before
	running bool
	repeat  bool // asked for again meanwhile
}

// replace starts do in the place of what runs, which is cancelled and waited
// for. The context of do ends with ctx, or with the next job, or with stop.
func (j *job) replace(ctx context.Context, do func(context.Context)) {
	j.stop()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.start(ctx, do)
}

// again starts do, or has it done once more if it is being done.
func (j *job) again(ctx context.Context, do func(context.Context)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running {
		j.repeat = true
		return
	}
	j.start(ctx, do)
}

// stop cancels what runs and waits for its end.
func (j *job) stop() {
	j.mu.Lock()
	cancel, done := j.cancel, j.done
	j.repeat = false
	j.mu.Unlock()
	if done != nil {
		cancel()
		<-done
	}
}

// start is called with the lock held, while nothing runs.
func (j *job) start(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	j.cancel, j.done, j.running = cancel, done, true
	go func() {
		defer close(done)
		defer cancel()
		for {
			j.once(ctx, do)
			j.mu.Lock()
			more := j.repeat && ctx.Err() == nil
			j.repeat, j.running = false, more
			j.mu.Unlock()
			if !more {
				return
			}
		}
	}()
}

// once contains a panic: a picture that a client sent may have found a fault in
// a decoder, and must not take the other things along.
func (j *job) once(ctx context.Context, do func(context.Context)) {
	defer func() {
		if p := recover(); p != nil {
			j.log.Error("internal error in a command; please report it", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	do(ctx)
}

// usage is how the last use of a part went.
type usage struct {
	wake chan struct{} // has a token when that changed: the part is looked at again
	mu   sync.Mutex
	err  error
}

func newUsage() *usage { return &usage{wake: make(chan struct{}, 1)} }

// went notes a use.
func (u *usage) went(err error) {
	u.mu.Lock()
	before := u.err
	u.err = err
	u.mu.Unlock()
	if err == nil && before == nil {
		return
	}
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// forget drops the last failure.
func (u *usage) forget() {
	u.mu.Lock()
	u.err = nil
	u.mu.Unlock()
}

func (u *usage) last() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}
