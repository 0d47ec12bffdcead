// Package control is the socket in a state folder by which other processes of this
// program on this host talk with the folder's owner: they hand messages over, ask
// how things are, and change flows. It speaks HTTP/1.1 with JSON; a stream is an
// HTTP upgrade.
//
// The socket belongs to the user of the owner, and nobody else can open it.
package control
