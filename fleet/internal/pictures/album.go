package pictures

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"

	"pithings/camera/store"
)

// Album knows the pictures of all devices. It holds none.
type Album struct {
	seed    uint64
	devices int
	name    func(device int) string
	block   cipher.Block
	pens    chan *pen
}

// New returns the pictures of so many devices. name returns the name of one.
func New(seed uint64, devices int, name func(device int) string) *Album {
	key := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("pictures of a fleet "), seed))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err) // a key of 16 bytes is one of AES
	}
	a := &Album{seed: seed, devices: devices, name: name, block: block, pens: make(chan *pen, drawn)}
	for range drawn {
		a.pens <- nil // made when it is used
	}
	return a
}

// Name returns the last part of the address of a device's picture.
func (a *Album) Name(device int, number uint32) string {
	var id store.ID
	binary.BigEndian.PutUint32(id[0:], uint32(device))
	binary.BigEndian.PutUint32(id[4:], number)
	a.block.Encrypt(id[:], id[:])
	return id.Name()
}

// Find returns whose picture has a name, and which.
func (a *Album) Find(name string) (device int, number uint32, ok bool) {
	id, ok := store.IDOf(name)
	if !ok {
		return 0, 0, false
	}
	a.block.Decrypt(id[:], id[:])
	n := binary.BigEndian.Uint32(id[0:])
	if binary.BigEndian.Uint64(id[8:]) != 0 || uint64(n) >= uint64(a.devices) {
		return 0, 0, false
	}
	return int(n), binary.BigEndian.Uint32(id[4:]), true
}
