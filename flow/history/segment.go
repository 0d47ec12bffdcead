package history

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"pithings/flow"
	"pithings/quietlog"
)

// segment is one file. Its number is in its name.
type segment struct {
	number int
	path   string
	size   int64
}

const prefix, suffix = "executions-", ".log"

func segmentPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%s%08d%s", prefix, number, suffix))
}

// newest is the number of the newest segment, or 0.
func (h *History) newest() int {
	if n := len(h.segments); n > 0 {
		return h.segments[n-1].number
	}
	return 0
}

// load reads the folder.
func (h *History) load() error {
	files, err := os.ReadDir(h.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		digits, ok := strings.CutPrefix(f.Name(), prefix)
		if digits, ok = cutSuffix(digits, ok); !ok {
			continue
		}
		number, err := strconv.Atoi(digits)
		if err != nil || number < 1 || !f.Type().IsRegular() {
			continue
		}
		h.segments = append(h.segments, segment{number: number, path: filepath.Join(h.dir, f.Name())})
	}
	sort.Slice(h.segments, func(i, j int) bool { return h.segments[i].number < h.segments[j].number })
	all := h.segments
	h.segments = nil
	damaged := 0
	for i := range all {
		h.segments = all[:i+1]
		good, bad, err := readSegment(all[i].path, nil, h.apply)
		if err != nil {
			return err
		}
		all[i].size = good
		damaged += bad
		if i == len(all)-1 {
			if err := cut(all[i].path, good); err != nil {
				return err
			}
		}
	}
	if damaged > 0 {
		h.o.Log.Warn("damaged lines in the history of flows left out", "dir", h.dir, "n", damaged)
	}
	return nil
}

func cutSuffix(s string, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}

// cut takes away what is behind the last good line of the last segment.
func cut(path string, size int64) error {
	st, err := os.Stat(path)
	if err != nil || st.Size() == size {
		return err
	}
	return os.Truncate(path, size)
}

// apply brings a line of the disk into the index.
func (h *History) apply(r *record) {
	h.last = max(h.last, r.N)
	switch {
	case r.Start != nil:
		if h.entries[r.N] == nil && r.Start.ID != "" && h.numbers[r.Start.ID] == 0 {
			h.add(r.N, *r.Start)
		}
	case r.Deleted:
		h.forget(r.N)
	case h.entries[r.N] == nil: // its beginning is gone
	case r.Event != nil:
		h.entries[r.N].note(r.Event)
	case r.End != nil && r.End.Status != flow.Running:
		x := h.entries[r.N]
		id := x.ID
		x.Execution = *r.End
		x.ID = id
	}
}

// note takes an event into account. The last one says how the execution ended,
// also if the line behind it, which repeats it, is gone.
func (x *entry) note(e *flow.ExecutionEvent) {
	x.events = e.ID
	ends := map[flow.EventType]flow.Status{
		flow.ExecutionSucceeded: flow.Succeeded, flow.ExecutionFailed: flow.Failed, flow.ExecutionAborted: flow.Aborted}
	if status, ok := ends[e.Type]; ok {
		x.Status, x.Ended, x.Reason = status, e.Time, e.Payload.Message
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine appends a record as a line. What is too long loses its values.
func appendLine(b []byte, r *record) []byte {
	from := len(b)
	b = append(b, "00000000 "...)
	b, err := appendRecord(b, r)
	if size := len(b) - from; (err != nil || size > maxLine) && r.Event != nil {
		note := fmt.Sprintf("not kept: the values have %d bytes", size)
		if err != nil {
			note = "not kept: the values are not JSON"
		}
		e := *r.Event
		e.Payload.Input, e.Payload.Output = nil, nil
		e.Payload.Message = quietlog.Clip(e.Payload.Message, mostText) + " (" + note + ")"
		b, err = appendRecord(b[:from+9], &record{N: r.N, Event: &e})
	}
	if err != nil || len(b)-from > 2*maxLine {
		return b[:from]
	}
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(b[from+9:], castagnoli))
	hex.Encode(b[from:], sum[:])
	return append(b, '\n')
}

func appendRecord(b []byte, r *record) ([]byte, error) {
	switch {
	case r.Event != nil:
		return appendEvent(b, r.N, r.Event)
	case r.Start != nil:
		return appendExecution(b, r.N, "start", r.Start), nil
	case r.End != nil:
		return appendExecution(b, r.N, "end", r.End), nil
	}
	data, err := json.Marshal(r)
	return append(b, data...), err
}

// parseLine reads a line without its end.
func parseLine(line []byte) (*record, bool) {
	if len(line) < 10 || line[8] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[9:], castagnoli) {
		return nil, false
	}
	r := new(record)
	d := json.NewDecoder(bytes.NewReader(line[9:]))
	if err := d.Decode(r); err != nil {
		return nil, false
	}
	return r, true
}

// linesOf begins the lines of one execution, behind the checksum: n is the first
// key of a record.
func linesOf(n uint64) []byte { return fmt.Appendf(nil, `{"n":%d,`, n) }

// readSegment calls fn for all good lines of a file that begin so. It returns the
// length up to the end of the last good one, and how many are damaged.
func readSegment(path string, begin []byte, fn func(*record)) (good int64, bad int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 2*maxLine+64)
	at := int64(0)
	for {
		line, err := in.ReadSlice('\n')
		at += int64(len(line))
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // longer than any of ours
			bad++
			for errors.Is(err, bufio.ErrBufferFull) {
				line, err = in.ReadSlice('\n')
				at += int64(len(line))
			}
			if err == nil {
				continue
			}
		case err == nil:
			if len(line) > 9 && !bytes.HasPrefix(line[9:], begin) {
				continue
			}
			if r, ok := parseLine(line[:len(line)-1]); ok {
				good = at
				fn(r)
			} else {
				bad++
			}
			continue
		case len(line) > 0:
			bad++
		}
		if errors.Is(err, io.EOF) {
			return good, bad, nil
		}
		return good, bad, err
	}
}
