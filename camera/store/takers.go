package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pithings/mqttlink/durable"
)

// takersName is the file beside the pictures that has which thing took which: a line for each,
// its name, a blank and the thing's. A line too few costs the name in lists, and nothing else.
const takersName = "taken-by.txt"

// takersMost bounds what is read of it, in bytes, and takersMore how many lines it has more than
// twice the pictures before it is written anew.
const (
	takersMost = 1 << 20
	takersMore = 100
)

// For returns the store for one thing, whose name lists show.
func (d *Disk) For(thing string) Store { return taker{d, thing} }

type taker struct {
	*Disk
	name string
}

// Put implements [Store].
func (t taker) Put(ctx context.Context, jpeg []byte, taken time.Time) (string, error) {
	return t.put(ctx, jpeg, taken, t.name)
}

// readTakers returns which thing took which picture, as far as that is known.
func (d *Disk) readTakers() map[string]string {
	text, err := durable.ReadFile(filepath.Join(d.dir, takersName), takersMost)
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		d.noted++
		if name, thing, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && IsName(name) {
			all[name] = thing
		}
	}
	return all
}

// note adds who took a picture to the list. d.write is held.
func (d *Disk) note(name, thing string) {
	path := filepath.Join(d.dir, takersName)
	d.mu.RLock()
	anew := d.noted >= 2*len(d.files)+takersMore
	var list strings.Builder
	for _, f := range d.files {
		if anew && f.taker != "" {
			list.WriteString(f.name + " " + f.taker + "\n")
		}
	}
	count := len(d.files)
	d.mu.RUnlock()
	if anew {
		if durable.Replace(path, []byte(list.String())) == nil {
			d.noted = count
		}
		return
	}
	f, err := durable.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(name + " " + thing + "\n") // the picture is there, and that is what counts
	f.Close()
	d.noted++
}
