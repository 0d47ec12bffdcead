// Package pub hands messages of other programs over to an outbox, and reports of each
// when it is on the disk.
//
// A state folder has one owner. Who owns it has a [Desk] for each connection, and
// serves other processes at the folder's socket; whoever finds the folder owned
// sends its messages there. [Run] does either, and changes over when the owner ends:
// what was not reported safe it hands over again.
package pub
