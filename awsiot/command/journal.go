package command

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"pithings/mqttlink/durable"
)

// The journal is the file of the sessions, a line for each event:
//
//	3b1d0a77 {"session":"7f3a","sum":"5be1…","at":1796000000000}   it begins
//	90c4e1f2 {"session":"7f3a","answer":"{\"session-id\":…"}       it has ended
//
// The first eight characters are the CRC-32 (IEEE) of the JSON. Lines are appended and
// synced; when the file has grown to maxJournal, it is written anew with what is still kept.
// A line that was cut by a power cut is the last one. One that is damaged is left out, and
// counted.

const (
	journalName = "sessions"
	// maxJournal is the size at which the file is written anew, in bytes. What is kept of
	// MaxSessions sessions with maxAnswers bytes of answers is less than half.
	maxJournal = 4 << 20
)

// entry is a line of the journal.
type entry struct {
	Session string `json:"session"`
	Sum     string `json:"sum,omitempty"`    // of a beginning, in hex
	At      int64  `json:"at,omitempty"`     // when, in Unix milliseconds; 0: the clock was not known
	Answer  string `json:"answer,omitempty"` // of an end
}

// appendEntry appends a line.
func appendEntry(b []byte, e entry) []byte {
	text, _ := json.Marshal(e) // texts and a number
	return fmt.Appendf(b, "%08x %s\n", crc32.ChecksumIEEE(text), text)
}

// parseEntry reads a line without its end.
func parseEntry(line []byte) (e entry, ok bool) {
	head, text, found := bytes.Cut(line, []byte(" "))
	var sum [4]byte
	if n, err := hex.Decode(sum[:], head[:min(len(head), 8)]); !found || err != nil || n != 4 || len(head) != 8 {
		return e, false
	}
	if crc32.ChecksumIEEE(text) != uint32(sum[0])<<24|uint32(sum[1])<<16|uint32(sum[2])<<8|uint32(sum[3]) {
		return e, false
	}
	if json.Unmarshal(text, &e) != nil || checkSession(e.Session) != nil || len(e.Answer) > MaxAnswer {
		return e, false
	}
	return e, true
}

// parseJournal calls each for every whole line, and returns how many are damaged. What
// stands behind the last end of line is none.
func parseJournal(b []byte, each func(entry)) (damaged int) {
	for {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return damaged
		}
		if e, ok := parseEntry(line); ok {
			each(e)
		} else {
			damaged++
		}
		b = rest
	}
}

// journal is the open file. It is not safe for concurrent use.
type journal struct {
	dir  string
	file *os.File // nil: it is written anew first
	size int64
}

// read returns the file. One that is not there is empty.
func (j *journal) read() ([]byte, error) {
	b, err := durable.ReadFile(filepath.Join(j.dir, journalName), 2*maxJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// append writes a line and syncs it. all returns the whole file, the line among it, for when
// it has to be written anew: at the beginning, after an error, and when it has grown.
func (j *journal) append(e entry, all func() []byte) error {
	line := appendEntry(nil, e)
	if j.file == nil || j.size+int64(len(line)) > maxJournal {
		return j.rewrite(all())
	}
	n, err := j.file.Write(line)
	j.size += int64(n)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.close() // half a line may stand there
	}
	return err
}

func (j *journal) rewrite(content []byte) error {
	j.close()
	if err := durable.MakeFolder(j.dir); err != nil {
		return err
	}
	name := filepath.Join(j.dir, journalName)
	if err := durable.Replace(name, content); err != nil {
		return err
	}
	f, err := durable.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	j.file, j.size = f, int64(len(content))
	return nil
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}
