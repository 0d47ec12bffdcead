package certificate

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"pithings/mqttlink/certs"
)

// Options say where the certificate comes from.
type Options struct {
	// Cert and Key are files of the user. Without them the certificate is made in Dir.
	Cert, Key string
	Dir       string
	// Hosts are names and addresses of this machine, for a certificate that is made. It is made anew
	// when it is not for all of Required.
	Required, Hosts func() []string
	// Known reports whether the clock is right. Until then no certificate is replaced for its time.
	Known func() bool
	Log   *slog.Logger

	now func() time.Time
}

// Source hands out the certificate as it is now. Its methods may be called from several goroutines.
type Source struct {
	o Options

	mu   sync.Mutex
	pair *tls.Certificate
	read stamp // of the user's files, as they were read or tried
}

// stamp is by what a change of files is seen.
type stamp [2]struct {
	size int64
	time time.Time
}

// Open reads the user's files, or reads or makes our own certificate.
func Open(o Options) (*Source, error) {
	if o.now == nil {
		o.now = time.Now
	}
	s := &Source{o: o}
	return s, s.Refresh()
}

// SelfMade reports whether the certificate is of our own making.
func (s *Source) SelfMade() bool { return s.o.Cert == "" }

// Leaf is the certificate as it is now.
func (s *Source) Leaf() *x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pair.Leaf
}

// Refresh reads the user's files again, and makes our own certificate anew if it lacks a name of this
// machine. After an error the certificate before stays.
func (s *Source) Refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.SelfMade() {
		return s.own(s.o.Required())
	}
	return s.files()
}

// Get is [tls.Config.GetCertificate].
func (s *Source) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch {
	case s.SelfMade() && s.due(s.pair.Leaf) != "":
		err = s.own(nil)
	case !s.SelfMade() && s.stamp() != s.read:
		err = s.files()
	}
	if err != nil { // of files once for each change
		s.o.Log.Error("web server: certificate cannot be renewed: the one before stays", "err", err)
	}
	return s.pair, nil
}

// files reads the user's files.
func (s *Source) files() error {
	s.read = s.stamp()
	pair, err := certs.ReadPair(s.o.Cert, s.o.Key)
	if err != nil {
		return err
	}
	before := s.pair
	if s.pair = &pair; before != nil && !before.Leaf.Equal(pair.Leaf) {
		s.o.Log.Info("web server has another certificate", "sha256", Fingerprint(pair.Leaf), "until", pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

func (s *Source) stamp() (at stamp) {
	for i, name := range []string{s.o.Cert, s.o.Key} {
		if info, err := os.Stat(name); err == nil {
			at[i].size, at[i].time = info.Size(), info.ModTime()
		}
	}
	return at
}

// Fingerprint is what browsers and openssl x509 -fingerprint -sha256 show of a certificate.
func Fingerprint(c *x509.Certificate) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(c.Raw)), " ", ":")
}
