// Package pictures serves the pictures of a fleet's cameras. None is kept: the address says which
// device took it and which of its pictures it is, and it is drawn when it is asked for.
//
//	a := pictures.New(seed, devices, nameOf)
//	s, err := a.Listen("127.0.0.1:0", "127.0.0.1")
//	uri := s.URI(device, number)   // http://127.0.0.1:PORT/pictures/….jpg
//	err = s.Run(ctx)
//
// An address has the form of those of an agent's cameras (camera/store): 26 letters that look
// random. They are one block of AES: device, number, and 64 bits that have to be zero. What is not
// made here is no picture, and finding one by trying takes 2^64 requests. The key is made of the seed
// of the fleet, so that a run can be repeated: who knows the seed can make addresses, of pictures
// that hold no secret.
package pictures
