//go:build !unix

package hw

func (d direct) Read(buf []byte) (int, error) { return d.file.Read(buf) }
