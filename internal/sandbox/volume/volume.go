// Package volume makes file systems of a fixed size: whoever has used one up is told
// that no space is left (ENOSPC), and it takes no more of the disk below it.
//
// A volume is a sparse file, formatted as ext4 without a journal and attached to a
// loop device. The file loses its name while it is made, and the mount is attached
// nowhere until a sandbox puts it into its place. So nothing of this machine sees a
// volume, and it ends with the last process that uses it: a platform that is killed
// leaves neither file nor mount behind. The device itself stays, free for the next.
//
//	Make: file → format → loop device → fsopen … fsmount → FD
//
// The layout is that of Documentation/filesystems/ext4 of the kernel. Project quotas
// would do without all this, but few machines have them switched on.
package volume

// The geometry. With descriptors of 32 bytes one block describes 128 groups, 16 GiB.
const (
	blockSize      = 4096
	groupBlocks    = 8 * blockSize // what a bitmap of one block describes: 128 MiB
	inodeSize      = 256
	inodesPerGroup = groupBlocks / 4 // one for 16 KiB, as mke2fs has it
	tableBlocks    = inodesPerGroup * inodeSize / blockSize
	overhead       = 2 + tableBlocks // blocks of a group that are no files': two bitmaps and its inodes
	reserved       = 10              // inodes; the second is the root
	rootInode      = 2
	extra          = 64   // blocks for the superblock, the descriptors, the root and trees of extents
	kept           = 4096 // blocks that the kernel keeps for itself, or a fiftieth of all if that is less
)

// The sizes of volumes, in MB. A larger one would have more groups than are described.
const (
	least = 1
	most  = 15 << 10
)

// size is how many blocks and groups a volume has in which there is room for so
// many MB of files.
func size(mb int) (blocks, groups int) {
	room := mb<<20/blockSize + extra
	room += min(kept, room/49+overhead/49+1)
	groups = (room + groupBlocks - overhead - 1) / (groupBlocks - overhead)
	return room + groups*overhead, groups
}
