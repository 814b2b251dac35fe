import type { UserScheduleRow } from "../../src/index.ts";

export const wrong = (one: UserScheduleRow): boolean => one.status === "cancelled";
