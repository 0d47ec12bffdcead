package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"pithings/conf/machine"
	"pithings/mqttlink/durable"
)

// A card is copied for 200 Pis after the first of them has run. The client id that was
// made on it would be all theirs, and the broker would throw them off in turn; what waited
// on it would be delivered 200 times. So the folder remembers the machine, and another one
// makes an id of its own and puts the queue aside. A client id of the configuration is not
// ours to change.

// machineName is the file with the mark of the machine on which the client id was made.
const machineName = "machine"

// copied reports whether the folder is another machine's, and remembers this one if it
// remembers none: folders of earlier versions stay what they are.
func (s *Folder) copied() bool {
	now := s.mark()
	if now == "" { // nothing identifies it
		return false
	}
	text, err := os.ReadFile(filepath.Join(s.Dir, machineName))
	if before := strings.TrimSpace(string(text)); err == nil && before != "" {
		return before != now
	}
	s.remember()
	return false
}

func (s *Folder) mark() string {
	if s.Mark != nil {
		return s.Mark()
	}
	return machine.This().Mark()
}

// remember notes this machine. On a disk that cannot be written the next run does.
func (s *Folder) remember() {
	if now := s.mark(); now != "" {
		_ = s.replace(machineName, []byte(now+"\n"))
	}
}

// putAside moves the queue of a copied folder to where nothing delivers it by itself, and
// forgets the client id.
func (s *Folder) putAside(id string, log *slog.Logger) error {
	from, to := s.QueueDir(id), Folder{Dir: s.Copied()}
	moved := ""
	if _, err := os.Stat(from); err == nil {
		if err := durable.MakeFolder(to.Dir); err != nil {
			return err
		}
		moved = to.QueueDir(id)
		for n := 2; ; n++ { // copies of copies
			if _, err := os.Lstat(moved); errors.Is(err, fs.ErrNotExist) {
				break
			}
			moved = to.QueueDir(fmt.Sprintf("%s-%d", id, n))
		}
		if err := os.Rename(from, moved); err != nil {
			return err
		}
	}
	c := s.connections()
	delete(c, "")
	if err := s.setConnections(c); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.Dir, "client-id")); err != nil {
		return err
	}
	log.Warn("this state folder was copied from another machine: this one gets a client id of its own, and the queue of the other is kept in copied/",
		"before", id, "dir", moved)
	return nil
}

// Copied is the state folder of what another machine had queued.
func (s *Folder) Copied() string { return filepath.Join(s.Dir, "copied") }

// CopiedQueues lists the queues in it.
func (s *Folder) CopiedQueues() []Queue {
	of := Folder{Dir: s.Copied()}
	queues, err := of.Queues()
	if err != nil {
		return nil // there are none
	}
	return queues
}
