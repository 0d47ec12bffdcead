package state

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One card for 200 Pis: each gets an id of its own, and none sends what waited on the card.
func TestCopiedFolderGetsItsOwnClientID(t *testing.T) {
	card, mark := t.TempDir(), "first"
	folder := func() *Folder { return &Folder{Dir: card, Mark: func() string { return mark }} }
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	id := func() string {
		t.Helper()
		id, err := folder().ClientID(log)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	queue := func(id string) {
		t.Helper()
		dir := folder().QueueDir(id)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600), folder().SetConnection("", id)); err != nil {
			t.Fatal(err)
		}
	}
	first := id()
	queue(first)
	if again := id(); again != first || said.Len() > 0 {
		t.Fatalf("on the same machine: %q after %q; %s", again, first, &said)
	}
	mark = "second"
	second := id()
	if second == first || id() != second {
		t.Errorf("the copy has %q, then %q; the card had %q", second, id(), first)
	}
	if before := folder().Connection("", second); before != "" {
		t.Errorf("the queue of %q would move along", before)
	}
	if own, err := folder().Queues(); err != nil || len(own) != 0 {
		t.Errorf("%v, %v", own, err)
	}
	if aside := folder().CopiedQueues(); len(aside) != 1 || aside[0].ClientID != first {
		t.Errorf("%v", aside)
	}
	if !strings.Contains(said.String(), "copied from another machine") || !strings.Contains(said.String(), first) {
		t.Errorf("the log: %s", &said)
	}
	mark = ""
	if id() != second {
		t.Error("where nothing tells machines apart, the id changes")
	}
}

// Folders of earlier versions remember no machine; their ids stay.
func TestFolderOfAnEarlierVersionKeepsItsClientID(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "client-id"), []byte("pithings-0123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := Folder{Dir: dir, Mark: func() string { return "this" }}
		if id, err := s.ClientID(slog.New(slog.DiscardHandler)); err != nil || id != "pithings-0123" {
			t.Errorf("%q, %v", id, err)
		}
	}
}
