import type { SecurityCommand } from "./commands.ts";
import { DEFAULT_ACCESS_TYPES } from "./security_state.ts";

/** The commands about the default access and about the whole. */
export const defaultCommands: readonly SecurityCommand[] = [
  {
    name: "setDefaultACLAccess",
    changes: true,
    run({ state }, fields) {
      const log: string[] = [];
      for (const { type: text, allow } of fields.defaultAccess()) {
        const wanted = text.toLowerCase();
        const type = DEFAULT_ACCESS_TYPES.find((known) => known.toLowerCase() === wanted);
        if (type === undefined) continue;
        state.defaultAccess[type] = allow;
        log.push(`acltype=${type}`, `allow=${allow}`);
      }
      return { log };
    },
  },
  {
    name: "getDefaultACLAccess",
    changes: false,
    run: ({ state }) => ({
      data: {
        acls: DEFAULT_ACCESS_TYPES.map((acltype) => ({
          acltype,
          allow: state.defaultAccess[acltype],
        })),
      },
    }),
  },
  {
    name: "getDetails",
    changes: false,
    run: ({ state }) => ({
      data: {
        clientCount: state.clients.size,
        groupCount: state.groups.size,
        roleCount: state.roles.size,
        changeIndex: state.changeIndex,
      },
    }),
  },
];
