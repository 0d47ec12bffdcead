package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"pithings/gateway/collect"
	"pithings/mqttlink/durable"
)

// kept is the file of the alarms' states. An alarm that flaps must not wear out a card: the
// file is written five seconds after a change, and at the end.
type kept struct {
	file string // "": nothing is kept
	log  *slog.Logger

	mu   sync.Mutex
	save time.Time // when it is to be written; zero: nothing has changed
	said bool
}

const (
	keptFile  = "alarms.json"
	keptDelay = 5 * time.Second
	keptMost  = 4 << 20 // bytes
)

func newKept(dir string, log *slog.Logger) *kept {
	k := &kept{log: log}
	if dir != "" {
		k.file = filepath.Join(dir, keptFile)
	}
	return k
}

// keptAlarms is the file: version 1.
type keptAlarms struct {
	Version int                           `json:"version"`
	Alarms  map[string]collect.AlarmState `json:"alarms"`
}

// read returns the states that were kept. Without them every alarm begins cleared.
func (k *kept) read() map[string]collect.AlarmState {
	if k.file == "" {
		return nil
	}
	data, err := durable.ReadFile(k.file, keptMost)
	var in keptAlarms
	if err == nil {
		err = json.Unmarshal(data, &in)
	}
	if err == nil && in.Version != 1 {
		err = fmt.Errorf("its version is %d, and this pithings knows version 1", in.Version)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Error("alarms of the last run cannot be read: all begin cleared", "file", k.file, "err", err)
	}
	return in.Alarms
}

// changed notes that a state has changed.
func (k *kept) changed(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.save.IsZero() {
		k.save = now.Add(keptDelay)
	}
}

// next returns when the file is to be written, or zero.
func (k *kept) next() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.save
}

// due writes the file if its time has come.
func (k *kept) due(now time.Time, states func() map[string]collect.AlarmState) {
	if next := k.next(); !next.IsZero() && !next.After(now) {
		k.write(states())
	}
}

// write writes the file.
func (k *kept) write(states map[string]collect.AlarmState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.save = time.Time{}
	if k.file == "" || len(states) == 0 {
		return
	}
	data, err := json.Marshal(keptAlarms{1, states})
	if err == nil {
		if err = durable.MakeFolder(filepath.Dir(k.file)); err == nil {
			err = durable.Replace(k.file, data)
		}
	}
	if err != nil && !k.said {
		k.log.Error("states of alarms cannot be kept over a restart", "file", k.file, "err", err)
	}
	k.said = err != nil
}
