package things

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"pithings/mqttlink/durable"
)

// noteFile is there while an output is on for a limited time and would keep its level over a
// restart: it is switched off then, since nothing else would.
const noteFile = "on-for-a-while"

// note remembers, or forgets, that the output is on for a while only.
func (o *Output) note(limited bool) error {
	if o.AtStart != outputKeep || o.state == nil {
		return nil
	}
	dir, err := o.state()
	if err != nil {
		return fmt.Errorf("its limit cannot be remembered: %w", err)
	}
	name := filepath.Join(dir, noteFile)
	if limited {
		err = durable.Replace(name, []byte("1\n"))
	} else if err = os.Remove(name); errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return err
}

// noteStays logs what follows from a note that is of no use any more.
func (o *Output) noteStays(err error) {
	o.log.Warn("output is switched off at the next start, because its note cannot be deleted", "thing", o.thing, "err", err)
}

// noted reports whether the last process ended while the output was on for a while only. If
// err says that this is not known, it may have been.
func (o *Output) noted() (yes bool, err error) {
	if o.AtStart != outputKeep || o.state == nil {
		return false, nil
	}
	dir, err := o.state()
	if dir != "" { // in a folder that cannot be made is no note
		_, err = os.Stat(filepath.Join(dir, noteFile))
	}
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return true, err
}
