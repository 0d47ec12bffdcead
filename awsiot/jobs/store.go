package jobs

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/mqttlink/durable"
)

// Mark says in which boot of the machine and in which run of the program something was.
type Mark struct {
	Boot string `json:"boot"` // "" if the system gives none
	Run  string `json:"run"`
}

// bootID is where Linux has the id that it made at boot (random(4)).
const bootID = "/proc/sys/kernel/random/boot_id"

// ThisBoot returns the mark of this run. It is called once in a process: each call is a run.
func ThisBoot() Mark {
	b, err := durable.ReadFile(bootID, 64)
	if err != nil {
		b = nil // not Linux
	}
	return Mark{Boot: strings.TrimSpace(string(b)), Run: rand.Text()}
}

// Saved is what outlives the process: the job that is being worked at.
type Saved struct {
	JobID    string          `json:"job"`
	Number   int64           `json:"number"`
	Action   string          `json:"action"`
	Began    Mark            `json:"began"`            // when the job was first begun
	Attempts int             `json:"attempts"`         // how often it was begun
	Data     json.RawMessage `json:"data,omitempty"`   // of the handler
	Result   *Result         `json:"result,omitempty"` // once there is one: the job is not run again
}

// Store keeps one Saved.
type Store interface {
	// Load returns what was saved last; the zero value if there is nothing.
	Load() (Saved, error)
	// Save replaces it. When it returns nil, it survives a power cut.
	Save(Saved) error
}

// maxSaved bounds the file, in bytes; a result has at most ten details of 1 KiB.
const maxSaved = 256 << 10

// maxData bounds what a handler saves.
const maxData = 128 << 10

// File is a Store in a file of that name.
type File string

// Load implements Store. A file that holds something else is reported, and is as good as none.
func (f File) Load() (s Saved, err error) {
	b, err := durable.ReadFile(string(f), maxSaved)
	if errors.Is(err, os.ErrNotExist) {
		return Saved{}, nil
	}
	if err == nil && len(b) > 0 {
		err = jsonvalue.Decode(b, &s)
	}
	if err != nil {
		return Saved{}, fmt.Errorf("what the last job was doing is not known, %s: %w", string(f), err)
	}
	return s, nil
}

// Save implements Store.
func (f File) Save(s Saved) error {
	if err := durable.MakeFolder(filepath.Dir(string(f))); err != nil {
		return err
	}
	return durable.Replace(string(f), append(jsonvalue.Encode(s), '\n'))
}
