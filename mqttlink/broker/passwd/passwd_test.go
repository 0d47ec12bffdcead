package passwd

import (
	"errors"
	"strings"
	"testing"
)

func TestHashOfAPasswordMatchesOnlyThatPassword(t *testing.T) {
	text, err := New("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	h, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if !h.Matches("correct horse") {
		t.Error("the password does not match its own hash")
	}
	for _, p := range []string{"", "correct hors", "correct horse ", strings.Repeat("x", MaxPassword+1)} {
		if h.Matches(p) {
			t.Errorf("%q matches", p)
		}
	}
	if again, _ := New("correct horse"); again == text {
		t.Error("two hashes of a password are the same: the salt is not random")
	}
	if (Hash{}).Matches("") {
		t.Error("the zero hash matches")
	}
}

// Hashes that others made: by mosquitto_passwd 2.0.11 of Debian 12, and by Debian's
// argon2 (echo -n secret | argon2 saltsaltsalt -id -t 2 -k 19456 -p 1 -e).
func TestHashesOfOtherPrograms(t *testing.T) {
	for name, text := range map[string]string{
		"mosquitto_passwd": mosquittoHash,
		"argon2":           argon2Hash,
	} {
		h, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !h.Matches("secret") || h.Matches("Secret") {
			t.Errorf("%s: %s does not match its password, or another one", name, text)
		}
	}
}

func TestWhatIsNoHashIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "secret", "$", "$$", "$7$", "$7$0$c2FsdHNhbHQ=$c2FsdHNhbHRzYWx0c2FsdA==", "$2y$10$abcdefghijklmnopqrstuv",
		"$7$101$c2FsdHNhbHQ=$", "$argon2id$v=16$m=19456,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=19456,t=2$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
	} {
		if _, err := Parse(text); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v, want ErrFormat", text, err)
		}
	}
	// 4 GiB of memory or an hour of time for one attempt to log in
	for _, text := range []string{
		"$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=19456,t=4000000,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=19456,t=2,p=260$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$7$2000000000$c2FsdHNhbHQ=$c2FsdHNhbHRzYWx0c2FsdA==",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("%s: %v, want the limits", text, err)
		}
	}
}

func TestErrorsDoNotQuoteSecrets(t *testing.T) {
	// A password where its hash belongs is a usual mistake.
	if _, err := Parse("hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mosquittoHash)
	f.Add(argon2Hash)
	f.Add("$7$101$$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Parse(text)
		if err != nil {
			return
		}
		if h.memory > maxMemory || h.passes > maxPasses || h.lanes > maxLanes || h.iterations > maxIterations || len(h.sum) < 16 {
			t.Errorf("%q is a hash of %+v", text, h)
		}
	})
}

const (
	mosquittoHash = "$7$101$lAjhlQno9f2iiIGb$DS5G3MqEhKeAEAz/wM7SpSGiJKptQCO6W+g7hosTyZaHVVts131CTQF6HLkyt9LlkPtLMuotLbOhOwRufSYOxw=="
	argon2Hash    = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$ki2QQIMdi3gALFf4XR64Y9rn4F8+JEUu2h0iBExveQo"
)
