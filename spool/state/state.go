// Package state is the folder for what outlives the process.
//
// One process owns it, by a lock that ends with the process. In it are
//
//	lock           held by the owner
//	client-id      the client id of the shared connection, made once
//	machine        on which machine that was
//	copied/        the queue of another machine, if the folder was copied: a state folder
//	connections    which client id each connection had, as JSON
//	boots          when each boot of this machine was; package mqttlink/clock
//	simulated      if all in it is of simulated things
//	socket         where other processes on this host talk with the owner
//	pictures/      what the cameras took
//	flows/         what is deployed; package flowhost
//	executions/    the history of flows; package flow/history
//	flow-values/   what flows keep over restarts: vars, waits; package flowhost
//	things/NAME/   what a thing keeps over restarts; package things
//	single/NAME/   the state folders of commands that run one thing
//	config/        the settings that were accepted from afar; package spool/accepted
//	quarantine     since when this device is in quarantine, if it is
//	commands/      which commands have run; package awsiot/command
//	history/       what the things measured; docs/history-format.md
//	defender/      the id of the last report; package awsiot/defender
//	web-access/    who may use the web server; package agent/access
//	home-assistant what was published to Home Assistant; package homeassistant
//	identity/      key, certificate and name at the broker; package awsiot/provision
//	identity.new/  one that is being made; identity.lock is held meanwhile
//	CLIENT ID/     the outbox of a connection; docs/outbox-format.md
//
// and what other packages say of themselves.
package state

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pithings/mqttlink/durable"
)

// ErrInUse says that another process owns the folder.
var ErrInUse = errors.New("in use by another pithings")

// Folder is a state folder. Its methods are for one goroutine at a time.
type Folder struct {
	Dir string
	// Mark distinguishes this machine from others; nil: the machine's own.
	Mark func() string
	lock *os.File
	id   string // the client id that could not be written
}

// Own takes the folder, and makes it if there is none. Close gives it up. Owning
// it twice is no error; if another process owns it the error wraps ErrInUse.
func (s *Folder) Own() error {
	if s.lock != nil {
		return nil
	}
	if err := durable.MakeFolder(s.Dir); err != nil {
		return fmt.Errorf("state folder: %w; name another with --state DIR", err)
	}
	name := filepath.Join(s.Dir, "lock")
	f, err := durable.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil && durable.Unwritable(err) { // a card that has become read-only: what is there still counts
		if ro, roErr := os.Open(name); roErr == nil {
			f, err = ro, nil
		}
	}
	if err != nil {
		return fmt.Errorf("state folder: %w; name another with --state DIR", err)
	}
	if ok, err := durable.TryLock(f); err != nil || !ok {
		defer f.Close()
		if err != nil {
			return fmt.Errorf("state folder: %w; name another with --state DIR", err)
		}
		return fmt.Errorf("state folder %s: %w%s; end that first, or give each its own with --state DIR", s.Dir, ErrInUse, owner(f))
	}
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people; the lock holds without
	}
	s.lock = f
	return nil
}

// owner returns which process the lock file names, if any.
func owner(f *os.File) string {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n]))); err == nil && pid > 0 {
		return ", process " + strconv.Itoa(pid)
	}
	return ""
}

// Close gives the folder up.
func (s *Folder) Close() {
	if s.lock != nil {
		s.lock.Close() // which unlocks
		s.lock = nil
	}
}

// ClientID returns the client id of the shared connection: made once and kept,
// since a broker knows a session by it. What is kept and cannot be one, as after a disk
// has failed, is replaced; the queue moves along. The folder must be owned.
//
// If the disk cannot be written, which is logged, the id is good until the process ends,
// and Connection knows it in the next one by its queue.
func (s *Folder) ClientID(log *slog.Logger) (string, error) {
	if s.id != "" {
		return s.id, nil
	}
	name := filepath.Join(s.Dir, "client-id")
	text, err := os.ReadFile(name)
	if id := strings.TrimSpace(string(text)); err == nil && usable(id) {
		if !s.copied() {
			return id, nil
		}
		if err := s.putAside(id, log); err != nil {
			return "", fmt.Errorf("this state folder was copied from another machine, and its queue cannot be moved to copied/: %w; empty %s", err, s.Dir)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("client id: %w; give mqtt.client_id, or another folder with --state DIR", err)
	}
	var b [6]byte
	rand.Read(b[:]) // never fails
	id := prefix + hex.EncodeToString(b[:])
	if err := s.replace("client-id", []byte(id+"\n")); err != nil {
		err = fmt.Errorf("client id: %w; give mqtt.client_id, or another folder with --state DIR", err)
		if !durable.Unwritable(err) {
			return "", err
		}
		log.Error("the state folder cannot be written: this client id is for now", "client_id", id, "err", err)
		s.id = id
	}
	s.remember()
	return id, nil
}

// prefix begins the client ids that are made here.
const prefix = "pithings-"

// usable reports whether a broker can take id for a client id.
func usable(id string) bool {
	return id != "" && len(id) <= 128 && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// replace writes one of the files so that a power cut leaves the old or the new one.
func (s *Folder) replace(name string, data []byte) error {
	return durable.Replace(filepath.Join(s.Dir, name), data)
}

// connections is which client id each connection had in the last run, by its
// name; "" is the shared one.
type connections map[string]string

// connections reads them; a file that is not there or cannot be read is none.
func (s *Folder) connections() connections {
	c := connections{}
	if text, err := os.ReadFile(filepath.Join(s.Dir, "connections")); err == nil && json.Unmarshal(text, &c) != nil {
		c = connections{}
	}
	return c
}

// Connection returns the client id that a connection had before it got this one, if
// that was another.
func (s *Folder) Connection(name, id string) (before string) {
	before, ok := s.connections()[name]
	if !ok && name == "" {
		before = s.unnoted()
	}
	if before == id {
		return ""
	}
	return before
}

// unnoted returns the client id of the queue that was begun under an id made here and
// noted nowhere, because the disk was full; "" if there is none, or more than one.
func (s *Folder) unnoted() (id string) {
	queues, err := s.Queues()
	if err != nil {
		return ""
	}
	for _, q := range queues {
		digits, ok := strings.CutPrefix(q.ClientID, prefix)
		if b, err := hex.DecodeString(digits); !ok || err != nil || len(b) != 6 {
			continue
		}
		if id != "" {
			return ""
		}
		id = q.ClientID
	}
	return id
}

// SetConnection notes the client id of a connection.
func (s *Folder) SetConnection(name, id string) error {
	c := s.connections()
	if c[name] == id {
		return nil
	}
	c[name] = id
	return s.setConnections(c)
}

func (s *Folder) setConnections(c connections) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return s.replace("connections", append(text, '\n'))
}

// QueueDir is the folder of the outbox of the connection with that client id.
func (s *Folder) QueueDir(id string) string { return filepath.Join(s.Dir, FileName(id)) }

// Socket is where the owner listens to other processes.
func (s *Folder) Socket() string { return filepath.Join(s.Dir, "socket") }

// Queue is an outbox's folder, and whose it is.
type Queue struct{ ClientID, Dir string }

// Queues lists the outboxes in the folder. It need not be owned. An error says that there
// may be more than those listed.
func (s *Folder) Queues() (queues []Queue, err error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	var unread error
	for _, e := range entries {
		id, ok := unescape(e.Name())
		if !ok || !e.IsDir() {
			continue
		}
		dir := filepath.Join(s.Dir, e.Name())
		switch _, err := os.Stat(filepath.Join(dir, "lock")); {
		case err == nil:
			queues = append(queues, Queue{id, dir})
		case !errors.Is(err, fs.ErrNotExist): // it may be one, and not for this user
			unread = fmt.Errorf("state folder: %w%s", err, hint(err))
		}
	}
	return queues, unread
}

// hint is what to do about a folder that cannot be looked into.
func hint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "; it belongs to another user: ask the agent that owns it, or use sudo"
	}
	return ""
}

// reserved are names in the folder that are no client ids.
var reserved = map[string]bool{
	"lock": true, "client-id": true, "connections": true, "socket": true, "pictures": true, "single": true,
	"machine": true, "copied": true, "boots": true, "flows": true, "executions": true, "simulated": true,
	"identity": true, "identity.new": true, "identity.lock": true, "config": true, "commands": true, "defender": true,
	"web-access": true,
}

// FileName makes a client id a file name: all but letters, digits, - _ and inner dots
// become %XX, and so does the first byte of a name that means something else.
func FileName(id string) string {
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' ||
			c == '.' && i > 0 && i < len(id)-1
		if i == 0 && reserved[strings.ToLower(id)] {
			plain = false
		}
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() > 200 { // file systems take 255 bytes; a client id of AWS has 128
		return b.String()[:160] + fmt.Sprintf("%%%%%016x", sum(id))
	}
	return b.String()
}

// unescape is the reverse of FileName, for names that it can have made. Of a long
// client id only the beginning is known.
func unescape(name string) (id string, ok bool) {
	if begin, _, long := strings.Cut(name, "%%"); long && len(begin) == 160 {
		return begin + "…", true
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		var c byte
		if n, err := fmt.Sscanf(name[i:min(i+3, len(name))], "%%%02X", &c); n != 1 || err != nil {
			return "", false
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), FileName(b.String()) == name
}

// Thing returns the folder in which a thing keeps what outlives the process, and makes it if
// there is none.
func (s *Folder) Thing(name string) (string, error) {
	dir := filepath.Join(s.Dir, "things", name)
	return dir, durable.MakeFolder(dir)
}
