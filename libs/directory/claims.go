package directory

import "slices"

// Claims that User.Claims may hold, by the scope that requests them (OpenID Connect Core 5.4).
// Userinfo returns no others.
var (
	ProfileClaims = []string{
		"middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender",
		"birthdate", "zoneinfo", "locale",
	}
	AddressClaims = []string{"address"}
	PhoneClaims   = []string{"phone_number", "phone_number_verified"}
)

// StandardClaims returns the names of all claims that User.Claims may hold.
func StandardClaims() []string { return slices.Concat(ProfileClaims, AddressClaims, PhoneClaims) }
