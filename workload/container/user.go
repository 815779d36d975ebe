package container

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// User is who an app in a container runs as: the image's own user where that is a
// number and not root, else a user of its tenant that no account has, else, where
// Fairlead itself is not root, its own user. It is what volumes and secrets of the
// app belong to.
type User struct {
	UID, GID int
}

// String writes the user as engines take it.
func (u User) String() string { return fmt.Sprintf("%d:%d", u.UID, u.GID) }

// Replaced says in words the user that an image names, such as "root", where its app
// runs as another one; nothing where it runs as the image says.
func Replaced(image string, loosen *fairlead.Loosen) string {
	if loosen != nil && loosen.Root {
		return ""
	}
	name, _, _ := strings.Cut(image, ":")
	uid, err := strconv.ParseUint(name, 10, 31)
	switch {
	case name == "":
		return "no user, which is root"
	case name == "root" || err == nil && uid == 0:
		return "root"
	case err != nil:
		return fmt.Sprintf("the user %.40q, whose number only it knows", name)
	}
	return ""
}

// UserOf returns who the app of a container runs as. image is the user of its image,
// tenant its site as text, own the user that Fairlead runs as. One that asked for
// root has it.
func UserOf(image, tenant string, loosen *fairlead.Loosen, own int) User {
	if loosen != nil && loosen.Root {
		return User{}
	}
	name, group, hasGroup := strings.Cut(image, ":")
	if uid, err := strconv.ParseUint(name, 10, 31); err == nil && uid != 0 {
		gid, err := strconv.ParseUint(group, 10, 31)
		if !hasGroup || err != nil {
			gid = uid
		}
		return User{UID: int(uid), GID: int(gid)}
	}
	if own != 0 {
		return User{UID: own, GID: own}
	}
	tenantUser := workload.TenantUser(tenant)
	return User{UID: tenantUser, GID: tenantUser}
}
