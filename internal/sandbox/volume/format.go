package volume

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"
)

// format writes a file system whose root belongs to a user and group, to a file
// that is zero.
func format(file io.WriterAt, mb, owner int) error {
	blocks, groups := size(mb)
	descriptors := make([]byte, blockSize)
	free := 0
	for g := range groups {
		n := min(groupBlocks, blocks-g*groupBlocks)
		first, inodes, used := g*groupBlocks, inodesPerGroup, overhead
		if g == 0 { // it has the superblock, the descriptors and the root's entries too
			first, inodes, used = 2, inodesPerGroup-reserved, overhead+3
		}
		bitmaps := make([]byte, 2*blockSize)
		take(bitmaps[:blockSize], used, n)
		take(bitmaps[blockSize:], inodesPerGroup-inodes, inodesPerGroup)
		if _, err := file.WriteAt(bitmaps, int64(first)*blockSize); err != nil {
			return err
		}
		d := descriptors[32*g:]
		put32(d, 0x00, first, first+1, first+2)
		put16(d, 0x0C, n-used, inodes)
		if g == 0 {
			put16(d, 0x10, 1) // directory
		}
		free += n - used
	}
	const table, root = 4, 2 + overhead // of the first group
	for at, part := range map[int][]byte{
		1024:      superblock(blocks, groups, free),
		blockSize: descriptors,
		table*blockSize + (rootInode-1)*inodeSize: inode(owner, root),
		root * blockSize: entries(),
	} {
		if _, err := file.WriteAt(part, int64(at)); err != nil {
			return err
		}
	}
	return nil
}

func superblock(blocks, groups, free int) []byte {
	const (
		dirIndex, sparseSuper2          = 0x20, 0x200 // no copies of it: nobody will repair this
		filetype, extents               = 0x2, 0x40
		largeFile, hugeFile, extraIsize = 0x2, 0x8, 0x40
	)
	b := make([]byte, 1024)
	put32(b, 0x00, groups*inodesPerGroup, blocks, 0, free, groups*inodesPerGroup-reserved, 0)
	put32(b, 0x18, 2, 2, groupBlocks, groupBlocks, inodesPerGroup) // blocks of 1,024<<2 bytes
	put16(b, 0x36, 0xFFFF, 0xEF53, 1, 1)                           // no check is due, magic, clean, errors stop nothing
	put32(b, 0x4C, 1)                                              // revision
	put32(b, 0x54, reserved+1)
	put16(b, 0x58, inodeSize)
	put32(b, 0x5C, dirIndex|sparseSuper2, filetype|extents, largeFile|hugeFile|extraIsize)
	_, _ = rand.Read(b[0x68:0x78]) // its name; never fails
	_, _ = rand.Read(b[0xEC:0xFC]) // the seed of large directories
	b[0xFC] = 1                    // which are hashed by half of MD4
	put32(b, 0x108, int(time.Now().Unix()))
	put16(b, 0x15C, inodeSize/8, inodeSize/8) // bytes of an inode that are in use beyond the first 128
	put32(b, 0x160, 1)                        // names are hashed as signed characters
	return b
}

// inode is the root's.
func inode(owner, block int) []byte {
	b := make([]byte, inodeSize)
	now := int(time.Now().Unix())
	put16(b, 0x00, 0o40700, owner)
	put32(b, 0x04, blockSize, now, now, now, 0)
	put16(b, 0x18, owner, 2) // group, links
	put32(b, 0x1C, blockSize/512, 0x80000)
	put16(b, 0x28, 0xF30A, 1, 4, 0) // a tree with one extent
	put16(b, 0x38, 1, 0)
	put32(b, 0x3C, block)
	put16(b, 0x78, owner>>16, owner>>16)
	put16(b, 0x80, inodeSize/8)
	return b
}

// entries are those of an empty root.
func entries() []byte {
	const directory = 2 << 8
	b := make([]byte, blockSize)
	put32(b, 0, rootInode)
	put16(b, 4, 12, 1|directory) // bytes to the next, bytes of its name
	b[8] = '.'
	put32(b, 12, rootInode)
	put16(b, 16, blockSize-12, 2|directory)
	b[20], b[21] = '.', '.'
	return b
}

// take marks what is taken from the beginning, and what does not exist.
func take(bitmap []byte, taken, exist int) {
	for i := range 8 * len(bitmap) {
		if i < taken || i >= exist {
			bitmap[i/8] |= 1 << (i % 8)
		}
	}
}

func put32(b []byte, at int, values ...int) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(b[at+4*i:], uint32(v))
	}
}

func put16(b []byte, at int, values ...int) {
	for i, v := range values {
		binary.LittleEndian.PutUint16(b[at+2*i:], uint16(v))
	}
}
