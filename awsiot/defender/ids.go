package defender

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/durable"
)

// idsFile has the id of the last report, in digits.
const idsFile = "report"

// ids gives reports ids that increase, also over restarts: Unix seconds, or one more than the
// last if the clock is behind that.
type ids struct {
	dir   string // "": nothing is kept
	clock *clock.Clock
	last  int64
}

// open reads what an earlier process has kept.
func (i *ids) open() error {
	if i.dir == "" {
		return nil
	}
	b, err := durable.ReadFile(filepath.Join(i.dir, idsFile), 64)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > i.last && n < 1<<53 {
		i.last = n // else it is damaged, and the clock decides
	}
	return nil
}

// next returns the id of the next report, which is kept before it is used. An error is that
// it is not; then the id increases only as long as the clock does.
func (i *ids) next() (int64, error) {
	i.last = max(i.last+1, i.clock.Now().Unix())
	if i.dir == "" {
		return i.last, nil
	}
	if err := durable.MakeFolder(i.dir); err != nil {
		return i.last, err
	}
	return i.last, durable.Replace(filepath.Join(i.dir, idsFile), []byte(strconv.FormatInt(i.last, 10)+"\n"))
}
