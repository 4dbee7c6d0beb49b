/** The password of all these entries. */
export const PASSWORD = new TextEncoder().encode("correct horse");

/** Made by Mosquitto's own tool. */
export const BY_MOSQUITTO: readonly (readonly [by: string, line: string])[] = [
  [
    "2.0",
    "alice:$7$101$jqveqyDq1TlCysKz$etEboprn6h/0G4lREO9zoJGitDremZcQP8Tuw5LkzDQzrMfDi5ziOLViIQH+" +
    "yFqxtep8hqsRiqrWkAelhhLt4Q==",
  ],
  [
    "2.0 with -H sha512",
    "bob:$6$9wtbvVxrVkbRnSwU$I9ibRd4lEJEtChK0rYHsGdM3FXauihWkHyd6hBoVJwzBt+tQ0UTJKwFgZohtveUfNkA" +
    "6YWbQA2F7jv8FLnLc5w==",
  ],
  [
    "2.1",
    "alice21:$7$1000$qHzeiMbg/PUcNum+r45uHBWW9f6JUDYBCvzU7je2MJwOrYbWwIrdOvKlI9CJB+lsWeKsNAnONKR1" +
    "/YEpwwnS3g==$j90FhvYzwVfFx4p7fGAjxsXsU0ie6DJ24HJZ273WEVucaH9vv6ijCA4e6NLZWaPj33wxoBMCuYj9yt" +
    "TpQMIbSw==",
  ],
  [
    "2.1 with -H argon2id",
    "dave:$argon2id$v=19$m=47104,t=1,p=1$UUBCezIOvjpMe/8OCpokHUs55iJ7kfEKU/YI+HUbwtz9dBU4ez3oBbp" +
    "BP6aC7b6ykvhjLzVDJX57Ngx1XdByvQ$Ht1uE5q+c1DhIWFddAvrK3UdF3NDDA9qN7je3Pyn60TIsBzlTqvsgzs5zGj" +
    "1Jnsn818rXHQ46Bo9KoKU8Ht/Hg",
  ],
];

export const SHA512_ENTRY = BY_MOSQUITTO[1][1];
