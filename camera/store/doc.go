// Package store keeps pictures where the other end of a flow can fetch them.
//
// [Store] is the seam: it takes a picture and answers with a URI. [Disk] keeps
// the newest pictures in a folder and serves them over HTTP, under names that
// cannot be guessed; only a client that has the URI can get the picture. Package
// storetest has the suite that every implementation has to pass.
package store

import (
	"context"
	"time"
)

// Store keeps pictures.
type Store interface {
	// Put keeps a JPEG picture and returns the URI under which it can be fetched
	// from then on, until newer pictures need its place. The URI names this
	// picture for good: it never comes to mean another, and the same bytes put
	// twice have two. It cannot be guessed.
	//
	// taken is when the picture was taken. When Put returns an error, nothing was
	// kept, and the error says why. Put may be called from several goroutines and
	// keeps no reference to jpeg.
	Put(ctx context.Context, jpeg []byte, taken time.Time) (uri string, err error)
}
