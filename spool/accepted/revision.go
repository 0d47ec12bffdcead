package accepted

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// format is that of the files.
const format = 1

// Revision is what was accepted at one time: all settings, not only those that changed.
type Revision struct {
	Number int    `json:"-"` // of its file
	Format int    `json:"format"`
	Base   string `json:"base"` // Sum of the file over which the settings stand
	From   string `json:"from"` // who gave them: job update-7
	// Time is when, as this machine's clock had it.
	Time time.Time `json:"time"`
	// Trial is set until the agent has connected with the settings.
	Trial bool `json:"trial,omitempty"`
	// Undoes is the number up to which revisions on trial are taken back by this one; 0: it
	// takes none back.
	Undoes int `json:"undoes,omitempty"`
	// Settings are written as a configuration, but things by their names.
	Settings map[string]any `json:"settings"`
	// Connections are brokers with their secrets, by the names of things; "" is the shared one.
	Connections map[string]Connection `json:"connections,omitempty"`
	// Shadows has what device shadows have to do with the settings, by their names.
	Shadows map[string]Shadow `json:"shadows,omitempty"`
}

// Sum is what Revision.Base has for a file.
func Sum(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}

const (
	// MaxSize bounds all settings as JSON, in bytes.
	MaxSize = 64 << 10
	// maxDepth bounds how deep settings nest.
	maxDepth = 12
)

// Encode returns the file of a revision. An error is that the settings are too large.
func (r *Revision) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	of := *r
	of.Format = format
	if of.Settings == nil {
		of.Settings = map[string]any{}
	}
	if err := e.Encode(of); err != nil {
		return nil, fmt.Errorf("accepted settings: %w", err)
	}
	if b.Len() > MaxSize {
		return nil, fmt.Errorf("the accepted settings are %d bytes long, and may be %d; write them into the configuration file, or remove some", b.Len(), MaxSize)
	}
	return b.Bytes(), nil
}

// Merge returns settings with changes, neither of which is changed: an object is merged, null
// removes what was accepted, so that the file's own value counts again, and any other value
// takes the place of the one before (RFC 7386).
func Merge(settings, changes map[string]any) (map[string]any, error) {
	return merge(settings, changes, 0)
}

func merge(settings, changes map[string]any, depth int) (map[string]any, error) {
	if depth == maxDepth {
		return nil, fmt.Errorf("the settings nest more than %d levels", maxDepth)
	}
	merged := make(map[string]any, len(settings)+len(changes))
	for key, value := range settings {
		merged[key] = value
	}
	for key, value := range changes {
		inner, isObject := value.(map[string]any)
		if isObject {
			before, _ := merged[key].(map[string]any)
			all, err := merge(before, inner, depth+1)
			if err != nil {
				return nil, err
			}
			value = all
		}
		if value == nil || isObject && len(value.(map[string]any)) == 0 {
			delete(merged, key)
		} else {
			merged[key] = value
		}
	}
	return merged, nil
}
