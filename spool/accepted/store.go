package accepted

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"pithings/mqttlink/durable"
)

// Kept is how many revisions are kept.
const Kept = 10

// Folder is where the revisions are in a state folder.
func Folder(state string) string { return filepath.Join(state, "config") }

// File is the name of the file of a revision in a state folder.
func File(state string, number int) string {
	return filepath.Join(Folder(state), fmt.Sprintf("%06d.json", number))
}

var fileName = regexp.MustCompile(`^([0-9]{6,9})\.json$`)

// numbers lists the revisions in a state folder, the newest first.
func numbers(state string) (all []int, err error) {
	entries, err := os.ReadDir(Folder(state))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("accepted settings: %w", err)
	}
	for _, e := range entries {
		if m := fileName.FindStringSubmatch(e.Name()); m != nil && e.Type().IsRegular() {
			n, _ := strconv.Atoi(m[1]) // nine digits at most
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b int) int { return b - a })
	return all, nil
}

// read reads one revision.
func read(state string, number int) (r Revision, err error) {
	name := File(state, number)
	data, err := durable.ReadFile(name, MaxSize)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil && r.Format != format {
		err = fmt.Errorf("its format is %d, and this program reads %d", r.Format, format)
	}
	if err != nil {
		return Revision{}, fmt.Errorf("accepted settings in %s: %w", name, err)
	}
	r.Number = number
	return r, nil
}

// Newest returns the revision that counts; nil is that there is none. One that cannot be read
// is an error, and not overlooked: the one before it is not what was set last.
func Newest(state string) (*Revision, error) {
	all, err := numbers(state)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	r, err := read(state, all[0])
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// All returns the revisions that can be read, the newest first.
func All(state string) ([]Revision, error) {
	numbers, err := numbers(state)
	var all []Revision
	var problems []error
	for _, n := range numbers {
		r, err := read(state, n)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, r)
	}
	return all, errors.Join(append(problems, err)...)
}

// Put writes a revision behind the others, and removes the oldest ones. After a power cut it is
// there, whole, or the one before it counts. Only the owner of the state folder calls it.
func Put(state string, r Revision) (Revision, error) {
	all, err := numbers(state)
	if err != nil {
		return Revision{}, err
	}
	r.Number = 1
	if len(all) > 0 {
		r.Number = all[0] + 1
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	r.Time = r.Time.UTC().Truncate(time.Second)
	if err := write(state, &r); err != nil {
		return Revision{}, err
	}
	spared := 0
	if r.Trial {
		spared = confirmed(state, all)
	}
	for _, old := range all[min(len(all), Kept-1):] {
		if old != spared {
			_ = os.Remove(File(state, old)) // it is tried again at the next revision
		}
	}
	return r, nil
}

// confirmed returns the newest of some revisions that is not on trial, to which Back returns; 0:
// there is none.
func confirmed(state string, numbers []int) int {
	for _, n := range numbers {
		if r, err := read(state, n); err == nil && !r.Trial {
			return n
		}
	}
	return 0
}

func write(state string, r *Revision) error {
	data, err := r.Encode()
	if err != nil {
		return err
	}
	if err := durable.MakeFolder(state); err != nil {
		return fmt.Errorf("accepted settings: %w", err)
	}
	if err := durable.MakeFolder(Folder(state)); err != nil {
		return fmt.Errorf("accepted settings: %w", err)
	}
	if err := durable.Replace(File(state, r.Number), data); err != nil {
		return fmt.Errorf("accepted settings: %w", err)
	}
	return nil
}

// Confirm ends the trial of a revision.
func Confirm(state string, number int) error {
	r, err := read(state, number)
	if err != nil || !r.Trial {
		return err
	}
	r.Trial = false
	return write(state, &r)
}

// Back puts the settings before a revision that is on trial behind it: the last ones that were
// confirmed, or none. Those that were kept meanwhile stand over that revision, and go with it.
func Back(state string, trial *Revision, why string) (Revision, error) {
	all, _ := All(state) // what cannot be read cannot come back
	last := trial
	if len(all) > 0 && all[0].Number > trial.Number {
		last = &all[0]
	}
	back := Revision{Base: last.Base, From: why, Undoes: last.Number, Shadows: last.Shadows}
	for _, r := range all {
		if r.Number < trial.Number && !r.Trial {
			back.Base, back.Settings, back.Connections = r.Base, r.Settings, r.Connections
			break
		}
	}
	back.Settle("taken back: " + why)
	return Put(state, back)
}

// Reset puts no settings behind those that are there.
func Reset(state, from string) (Revision, error) {
	newest, _ := Newest(state) // one that cannot be read is put behind, too
	empty := newest.without(from)
	if all, err := numbers(state); err == nil && len(all) > 0 {
		empty.Undoes = all[0]
	}
	return Put(state, empty)
}

// ErrTakenBack is wrapped by Outcome's error.
var ErrTakenBack = errors.New("the settings were taken back")

// Outcome returns how the trial of a revision has ended: nil if its settings stayed, which is
// also so if they were on trial together with later ones that stayed. over is false while it
// lasts.
func Outcome(state string, number int) (over bool, err error) {
	all, err := All(state) // one that cannot be read decides nothing
	slices.Reverse(all)
	known := false
	for _, r := range all {
		switch {
		case r.Number < number:
		case r.Undoes >= number:
			return true, fmt.Errorf("%w: %s", ErrTakenBack, r.From)
		case !r.Trial:
			return true, nil
		default:
			known = true
		}
	}
	if known || err != nil {
		return false, err
	}
	return true, fmt.Errorf("%w: revision %d is not there any more", ErrTakenBack, number)
}
