package broker

import (
	"sync"
	"time"

	"pithings/mqttlink/broker/internal/store"
)

// wills are the wills that wait for their delay (MQTT 5 section 3.1.3.2.2), by client
// id. They have a share of the budget; those beyond it are published at once, which a
// client that comes back finds out, while memory would be lost to clients that do not.
type wills struct {
	max     int64 // bytes, of all
	publish func(*store.Message)

	mu      sync.Mutex
	waiting map[string]*waiting // nil when stopped
	bytes   int64
}

type waiting struct {
	m     *store.Message
	timer *time.Timer
}

// willShare is their share of the budget: a sixteenth.
const willShare = 16

func newWills(maxMemory int64, publish func(*store.Message)) *wills {
	return &wills{max: maxMemory / willShare, publish: publish, waiting: map[string]*waiting{}}
}

func willSize(m *store.Message) int64 { return int64(len(m.Topic)+len(m.Payload)) + 1024 }

// delay publishes a message after a time, unless the client is back by then. It
// returns false if there is no room.
func (w *wills) delay(id string, m *store.Message, d time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil || w.waiting[id] != nil || w.bytes+willSize(m) > w.max {
		return false
	}
	one := &waiting{m: m}
	one.timer = time.AfterFunc(d, func() {
		if w.take(id, one) {
			w.publish(one.m)
		}
	})
	w.waiting[id] = one
	w.bytes += willSize(m)
	return true
}

// take removes a will, if it is there: any if one is nil.
func (w *wills) take(id string, one *waiting) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	have := w.waiting[id]
	if have == nil || one != nil && have != one {
		return false
	}
	have.timer.Stop()
	delete(w.waiting, id)
	w.bytes -= willSize(have.m)
	return true
}

// stop drops all wills.
func (w *wills) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.waiting {
		one.timer.Stop()
	}
	w.waiting = nil
}
